/** Taking out of a frame what the kernel chooses at random, so that two frames can be compared. */

const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8];
const IPV4_TYPE = 0x0800;
const IPV6_TYPE = 0x86dd;
/** Hop-by-hop, routing, destination options: what may stand before a fragment header. */
const SKIPPED: readonly number[] = [0, 43, 60];
const FRAGMENT = 44;

/**
 * The frame with the IPv4 identification and header checksum, and the identification in an IPv6 fragment header, at zero: the
 * kernel draws new ones for packets it makes itself and for packets it has reassembled.
 */
export function withoutIdentification(frame: Uint8Array): Buffer {
  const bytes = Buffer.from(frame);
  let at = 12;
  while (at + 4 < bytes.length && VLAN_TYPES.includes(bytes.readUInt16BE(at))) at += 4;
  if (at + 2 > bytes.length) return bytes;
  const type = bytes.readUInt16BE(at);
  const header = at + 2;
  if (type === IPV4_TYPE && header + 12 <= bytes.length) {
    bytes.writeUInt16BE(0, header + 4);
    bytes.writeUInt16BE(0, header + 10);
  }
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
