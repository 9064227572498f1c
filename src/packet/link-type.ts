/** What lies before the IP packet in a captured frame, for every link type we meet. */

import { ETHERTYPE } from './craft.ts';
import type { Family } from './netfilter.ts';

/** `LINKTYPE_*` numbers in capture files. */
export const LINK_TYPES = {
  NULL: 0,
  EN10MB: 1,
  SLIP: 8,
  PPP: 9,
  PPP_SERIAL: 50,
  RAW: 101,
  LINUX_SLL: 113,
  IPV4: 228,
  IPV6: 229,
  LINUX_SLL2: 276,
} as const;
export type LinkType = keyof typeof LINK_TYPES;

export type Decapsulated =
  | {
      readonly kind: 'ip';
      readonly family: Family;
      /** The packet from its IP header on. For Ethernet this includes any padding behind it. */
      readonly bytes: Uint8Array;
      /** The whole frame, if it is Ethernet. */
      readonly ethernet?: Uint8Array;
    }
  | { readonly kind: 'unreadable'; readonly why: string };

/** Takes the link layer off. `littleEndian`: byte order of the machine that wrote the capture (NULL link type). */
export function decapsulate(frame: Uint8Array, linkType: number, littleEndian: boolean): Decapsulated {
  switch (linkType) {
    case LINK_TYPES.NULL:
      return fromNull(frame, littleEndian);
    case LINK_TYPES.EN10MB:
      return fromEthernet(frame);
    case LINK_TYPES.SLIP:
      return frame.length < 16 ? tooShort('SLIP', frame) : byVersion(frame.subarray(16));
    case LINK_TYPES.PPP:
      return fromPpp(frame);
    case LINK_TYPES.PPP_SERIAL:
      return fromSerial(frame);
    // 101 is the number for files; the others are what some systems write for the same thing.
    case 12:
    case 14:
    case LINK_TYPES.RAW:
      return byVersion(frame);
    case LINK_TYPES.LINUX_SLL:
      return frame.length < 16 ? tooShort('LINUX_SLL', frame) : byEtherType(word(frame, 14), frame.subarray(16));
    case LINK_TYPES.LINUX_SLL2:
      return frame.length < 20 ? tooShort('LINUX_SLL2', frame) : byEtherType(word(frame, 0), frame.subarray(20));
    case LINK_TYPES.IPV4:
      return ip('ipv4', frame);
    case LINK_TYPES.IPV6:
      return ip('ipv6', frame);
    default:
      return unreadable(`link type ${linkType} is not known`);
  }
}

function fromEthernet(frame: Uint8Array): Decapsulated {
  let at = 12;
  while (at + 2 <= frame.length && TAGS.has(word(frame, at))) at += 4;
  if (at + 2 > frame.length) return tooShort('Ethernet', frame);
  const inner = byEtherType(word(frame, at), frame.subarray(at + 2));
  return inner.kind === 'ip' ? { ...inner, ethernet: frame } : inner;
}

const TAGS: ReadonlySet<number> = new Set([ETHERTYPE.vlan, ETHERTYPE.qinq]);

/** The address families that the BSDs and Linux write for IPv6. */
const NULL_IPV6: ReadonlySet<number> = new Set([10, 24, 28, 30]);

function fromNull(frame: Uint8Array, littleEndian: boolean): Decapsulated {
  if (frame.length < 4) return tooShort('NULL', frame);
  const family = new DataView(frame.buffer, frame.byteOffset).getUint32(0, littleEndian);
  if (family === 2) return ip('ipv4', frame.subarray(4));
  return NULL_IPV6.has(family) ? ip('ipv6', frame.subarray(4)) : unreadable(`address family ${family} is not IP`);
}

function fromPpp(frame: Uint8Array): Decapsulated {
  const at = frame[0] === 0xff && frame[1] === 0x03 ? 2 : 0;
  if (frame.length < at + 2) return tooShort('PPP', frame);
  const protocol = word(frame, at);
  if (protocol === 0x0021) return ip('ipv4', frame.subarray(at + 2));
  return protocol === 0x0057
    ? ip('ipv6', frame.subarray(at + 2))
    : unreadable(`PPP protocol ${hex(protocol)} is not IP`);
}

/** PPP in HDLC-like framing begins ff 03, Cisco HDLC 0f 00 (unicast) or 8f 00 (multicast) and an Ethernet type. */
function fromSerial(frame: Uint8Array): Decapsulated {
  if (frame.length < 4) return tooShort('PPP_SERIAL', frame);
  if (frame[0] === 0xff && frame[1] === 0x03) return fromPpp(frame);
  if ((frame[0] === 0x0f || frame[0] === 0x8f) && frame[1] === 0) return byEtherType(word(frame, 2), frame.subarray(4));
  return unreadable(`serial framing ${hex(word(frame, 0))} is neither PPP nor Cisco HDLC`);
}

function byEtherType(type: number, bytes: Uint8Array): Decapsulated {
  if (type === ETHERTYPE.ipv4) return ip('ipv4', bytes);
  return type === ETHERTYPE.ipv6 ? ip('ipv6', bytes) : unreadable(`protocol ${hex(type)} is not IP`);
}

function byVersion(bytes: Uint8Array): Decapsulated {
  const version = bytes[0] === undefined ? undefined : bytes[0] >> 4;
  if (version === 4) return ip('ipv4', bytes);
  return version === 6 ? ip('ipv6', bytes) : unreadable(`IP version ${version ?? 'missing'} is neither 4 nor 6`);
}

function ip(family: Family, bytes: Uint8Array): Decapsulated {
  return { kind: 'ip', family, bytes };
}

function unreadable(why: string): Decapsulated {
  return { kind: 'unreadable', why };
}

function tooShort(what: string, frame: Uint8Array): Decapsulated {
  return unreadable(`${what} frame of ${frame.length} bytes has no room for its header`);
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
