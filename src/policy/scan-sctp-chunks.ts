import { type PacketView, transportOf } from './packet-view.ts';
import type { NumberRange, ScanOutcome } from './scan.ts';

/**
 * The chunks of an SCTP packet. A chunk is wanted if its type is one of `types` and, where `flags` names its type, its flags & mask
 * are the value. `any`: one is wanted; `only`: all are; `all`: there is a wanted chunk of each type.
 */
export interface SctpChunksScan {
  readonly kind: 'sctpChunks';
  readonly how: 'any' | 'all' | 'only';
  /** Sorted, disjoint, not adjacent. */
  readonly types: readonly NumberRange[];
  readonly flags: readonly { readonly type: number; readonly mask: number; readonly value: number }[];
}

const SCTP_HEADER = 12;
const CHUNK_HEADER = 4;

/**
 * match_packet of xt_sctp: chunk after chunk until the packet's end or until the answer is known; a chunk header that is cut off, or
 * missing where the first should be, or whose length is 0, is evil. Nothing asks whether a chunk fits into the packet.
 */
export function scanSctpChunks(scan: SctpChunksScan, packet: PacketView): ScanOutcome {
  const { how, types, flags } = scan;
  const { bytes } = packet;
  const missing = new Set(types.flatMap(({ min, max }) => Array.from({ length: max - min + 1 }, (_, n) => min + n)));
  const asked = new Set(missing);
  let at = transportOf(packet).offset + SCTP_HEADER;
  do {
    const [type = 0, chunkFlags = 0, high = 0, low = 0] = bytes.subarray(at, at + CHUNK_HEADER);
    const length = (high << 8) | low;
    if (at + CHUNK_HEADER > bytes.length || length === 0) return 'evil';
    const flagsFit = flags.every((flag) => flag.type !== type || (chunkFlags & flag.mask) === flag.value);
    const wanted = asked.has(type) && flagsFit;
    if (how === 'any' && wanted) return 'yes';
    if (how === 'only' && !wanted) return 'no';
    if (wanted) missing.delete(type);
    at += (length + 3) & ~3;
  } while (at < bytes.length);
  if (how === 'any') return 'no';
  return how === 'only' || missing.size === 0 ? 'yes' : 'no';
}
