import type { PacketView } from './packet-view.ts';
import type { ScanOutcome } from './scan.ts';

/**
 * Bytes somewhere in the packet (xt_string, skb_find_text), wholly within `from` to `to`, both counted from the network header.
 * Knuth-Morris-Pratt finds every occurrence; Boyer-Moore only those that lie in one of the pieces in which the kernel holds the packet.
 */
export interface TextScan {
  readonly kind: 'text';
  /** In hexadecimal digits, at least one byte; capital letters only when case is ignored, and no byte above 0x7f then. */
  readonly pattern: string;
  readonly ignoreCase: boolean;
  /** First byte, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  readonly acrossPieces: boolean;
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
    const small = ignoreCase && byte >= 0x61 && byte <= 0x7a;
    if ((small ? byte - 0x20 : byte) !== pattern[i]) return false;
  }
  return true;
}
