import type { PacketView } from './packet-view.ts';
import type { ScanOutcome } from './scan.ts';

/**
 * Bytes somewhere in the packet (xt_string, skb_find_text), wholly within `from` to `to`, both counted from the network header.
 * Knuth-Morris-Pratt finds every occurrence; Boyer-Moore only those that lie in one of the pieces in which the kernel holds the packet.
 */
export interface TextScan {
  readonly kind: 'text';
  /** In hexadecimal digits, at least one byte; when case is ignored, as `capital` gives them, and none of `AMBIGUOUS`. */
  readonly pattern: string;
  readonly ignoreCase: boolean;
  /** First byte, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  readonly acrossPieces: boolean;
}

/**
 * Bytes whose capitals are no pair of letters: for the kernel 0xff (ÿ) is the small letter of 0xdf (ß), and 0xdf that of 0xbf (¿), and
 * where it skips ahead (Boyer-Moore) it takes them for different all the same. No pattern that ignores case has them.
 */
export const AMBIGUOUS: readonly number[] = Object.freeze([0xbf, 0xdf, 0xff]);

/** toupper() of the kernel, whose letters are those of Latin-1. */
export function capital(byte: number): number {
  const small = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0xdf && byte !== 0xf7);
  return small ? byte - 0x20 : byte;
}

export function scanText(scan: TextScan, packet: PacketView): ScanOutcome {
  const pattern = Uint8Array.from(scan.pattern.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  const { bytes } = packet;
  const pieces = scan.acrossPieces ? [bytes.length] : piecesOf(packet);
  let start = 0;
  for (const piece of pieces) {
    const first = Math.max(start, scan.from);
    const last = Math.min(start + piece, scan.to, bytes.length) - pattern.length;
    for (let at = first; at <= last; at++) if (isAt(bytes, at, pattern, scan.ignoreCase)) return 'yes';
    start += piece;
  }
  return 'no';
}

/** How many bytes lie in one piece, in order; together all of the packet. */
export function piecesOf({ bytes, pieces }: PacketView): readonly number[] {
  return pieces ?? [bytes.length];
}

function isAt(bytes: Uint8Array, at: number, pattern: Uint8Array, ignoreCase: boolean): boolean {
  for (let i = 0; i < pattern.length; i++) {
    const byte = bytes[at + i]!;
    if ((ignoreCase ? capital(byte) : byte) !== pattern[i]) return false;
  }
  return true;
}
