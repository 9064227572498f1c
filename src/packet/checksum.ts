import type { Family } from './netfilter.ts';

/** Ones' complement sum of big-endian 16-bit words (RFC 1071), folded to 16 bits, not yet inverted; odd ends are padded with 0. */
export function onesSum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** Internet checksum of `bytes`, whose checksum field must be zero. */
export function internetChecksum(bytes: Uint8Array, start = 0): number {
  return onesSum(bytes, start) ^ 0xffff;
}

/** Sum over the pseudo header of TCP, UDP and ICMPv6; addresses in network order, `length` in bytes. */
export function pseudoHeaderSum(
  family: Family,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): number {
  const size = family === 'ipv4' ? 2 : 4;
  const tail = Uint8Array.of(0, protocol, ...beBytes(length, size));
  return onesSum(tail, onesSum(destination, onesSum(source)));
}

const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC32c as SCTP uses it; the result is written little endian into its checksum field. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC32C[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffff_ffff) >>> 0;
}

/** `value` in network order in `size` bytes. */
export function beBytes(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, at) => Math.floor(value / 2 ** (8 * (size - 1 - at))) % 256);
}
