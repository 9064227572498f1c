import type { TransportPlace } from './packet-view.ts';

/** Extension headers that the kernel knows how to step over (ipv6_ext_hdr, without NEXTHDR_NONE). */
const HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTH = 51;
const DEST = 60;
const STEPPED_OVER: ReadonlySet<number> = new Set([HOP, ROUTING, FRAGMENT, AUTH, DEST]);

const FIXED_HEADER = 40;
const BROKEN: TransportPlace = { offset: 0, protocol: 0, fragOffset: 0, broken: true };

/**
 * ipv6_find_hdr(skb, &offset, -1, &fragoff, NULL) of Linux 6.18, for a packet that begins with the IPv6 header.
 *
 * What is not obvious: ESP, "none" and mobility are final protocols; a header whose stated length runs past the packet is
 * stepped over all the same, and only reading the *next* extension header there fails; a later fragment is a protocol
 * number without a transport header (offset 0), and broken if that number is an extension header again.
 */
export function walkIpv6(bytes: Uint8Array): TransportPlace {
  let offset = FIXED_HEADER;
  let protocol = bytes[6] ?? 0;
  while (STEPPED_OVER.has(protocol)) {
    if (offset + 2 > bytes.length) return BROKEN;
    const next = bytes[offset] ?? 0;
    const length = bytes[offset + 1] ?? 0;
    switch (protocol) {
      case FRAGMENT: {
        if (offset + 4 > bytes.length) return BROKEN;
        const fragOffset = (((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0)) & 0xfff8;
        if (fragOffset !== 0)
          return STEPPED_OVER.has(next) ? BROKEN : { offset: 0, protocol: next, fragOffset, broken: false };
        offset += 8;
        break;
      }
      case ROUTING:
        if (offset + 4 > bytes.length) return BROKEN;
        offset += (length + 1) * 8;
        break;
      case AUTH:
        offset += (length + 2) * 4;
        break;
      default:
        offset += (length + 1) * 8;
    }
    protocol = next;
  }
  return { offset, protocol, fragOffset: 0, broken: false };
}
