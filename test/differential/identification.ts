/** Taking out of a frame what the kernel chooses at random, so that two frames can be compared. */

const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8];
const IPV4_TYPE = 0x0800;
const IPV6_TYPE = 0x86dd;
/** Hop-by-hop, routing, destination options: what may stand before a fragment header. */
const SKIPPED: readonly number[] = [0, 43, 60];
const FRAGMENT = 44;

/**
 * The frame with the IPv4 identification and header checksum (also of a packet quoted in an ICMP error, whose own checksum then
 * counts as little), and the identification in an IPv6 fragment header, at zero: the kernel draws new ones for packets it makes
 * itself and for packets it has reassembled.
 */
export function withoutIdentification(frame: Uint8Array): Buffer {
  return cleared(frame, false);
}

/**
 * The same, and ports, echo identifiers and checksums of IPv4 and IPv6 packets without extension headers at zero too: source NAT
 * resolves collisions by ports that it draws, differently in every namespace.
 */
export function withoutPorts(frame: Uint8Array): Buffer {
  return cleared(frame, true);
}

function cleared(frame: Uint8Array, ports: boolean): Buffer {
  const bytes = Buffer.from(frame);
  let at = 12;
  while (at + 4 < bytes.length && VLAN_TYPES.includes(bytes.readUInt16BE(at))) at += 4;
  if (at + 2 > bytes.length) return bytes;
  const type = bytes.readUInt16BE(at);
  const header = at + 2;
  if (type === IPV4_TYPE) clearIpv4(bytes, header);
  if (ports) clearPorts(bytes, header, type);
  if (type === IPV6_TYPE) {
    let next = bytes[header + 6];
    let extension = header + 40;
    while (next !== undefined && SKIPPED.includes(next) && extension + 8 <= bytes.length) {
      next = bytes[extension];
      extension += 8 + 8 * bytes[extension + 1]!;
    }
    if (next === FRAGMENT && extension + 8 <= bytes.length) bytes.writeUInt32BE(0, extension + 4);
  }
  return bytes;
}

const ICMP = 1;
/** Destination unreachable, source quench, redirect, time exceeded, parameter problem: they quote a packet. */
const ICMP_ERRORS: readonly number[] = [3, 4, 5, 11, 12];
/** The answer tells the time of day, in milliseconds. */
const TIMESTAMP_REPLY = 14;

function clearIpv4(bytes: Buffer, header: number): void {
  if (header + 20 > bytes.length) return;
  bytes.writeUInt16BE(0, header + 4);
  bytes.writeUInt16BE(0, header + 10);
  const inner = header + 4 * (bytes[header]! & 15);
  if (bytes[header + 9] === ICMP && bytes[inner] === TIMESTAMP_REPLY) {
    bytes.fill(0, Math.min(bytes.length, inner + 2), Math.min(bytes.length, inner + 4));
    bytes.fill(0, Math.min(bytes.length, inner + 12));
  }
  if (bytes[header + 9] !== ICMP || !ICMP_ERRORS.includes(bytes[inner] ?? 0) || inner + 28 > bytes.length) return;
  bytes.writeUInt16BE(0, inner + 2);
  clearIpv4(bytes, inner + 8);
}

/** Protocol number to the bytes of its header that NAT may choose or that follow from them. */
const CHOSEN: Readonly<Record<number, readonly (readonly [from: number, to: number])[]>> = {
  1: [[2, 6]],
  6: [
    [0, 4],
    [16, 18],
  ],
  17: [
    [0, 4],
    [6, 8],
  ],
  58: [[2, 6]],
  132: [
    [0, 4],
    [8, 12],
  ],
};

function clearPorts(bytes: Buffer, header: number, type: number): void {
  const [at, transport] =
    type === IPV4_TYPE ? [header + 9, header + 4 * ((bytes[header] ?? 0) & 15)] : [header + 6, header + 40];
  for (const [from, to] of CHOSEN[bytes[at] ?? 255] ?? [])
    bytes.fill(0, Math.min(bytes.length, transport + from), Math.min(bytes.length, transport + to));
  // An ICMP error quotes the packet with its ports.
  const quotes = type === IPV4_TYPE ? ICMP_ERRORS.includes(bytes[transport] ?? 0) : (bytes[transport] ?? 255) < 128;
  const inner = transport + 8;
  if ((bytes[at] === 1 || bytes[at] === 58) && quotes && inner + 20 < bytes.length) clearPorts(bytes, inner, type);
}
