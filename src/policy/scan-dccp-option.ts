import { type PacketView, transportOf } from './packet-view.ts';
import type { ScanOutcome } from './scan.ts';

/**
 * A DCCP option of this kind is there. Evil: the data offset is less than the header of the packet's type needs, or the options that
 * it promises are not all in the packet. That the first 12 bytes are there is asked before.
 */
export interface DccpOptionScan {
  readonly kind: 'dccpOption';
  readonly option: number;
}

export const DCCP_HEADER = 12;
/** What a long sequence number adds. */
export const DCCP_LONG = 4;
/** Bytes between the basic header and the options, by packet type (dccp_packet_hdr_len); types without a name count as a reset. */
export const DCCP_TYPE_BYTES = [4, 12, 0, 8, 8, 8, 8, 12, 8, 8, 12, 12, 12, 12, 12, 12] as const;

/** dccp_find_option of xt_dccp. Kinds 0 and 1 step one byte, so does a length of 0; else the option's length is the step. */
export function scanDccpOption({ option }: DccpOptionScan, packet: PacketView): ScanOutcome {
  const header = packet.bytes.subarray(transportOf(packet).offset);
  const end = (header[4] ?? 0) * 4;
  const typeByte = header[8] ?? 0;
  const start = DCCP_HEADER + (typeByte & 1 ? DCCP_LONG : 0) + DCCP_TYPE_BYTES[(typeByte >> 1) & 15]!;
  if (end < start) return 'evil';
  if (end === start) return 'no';
  if (header.length < end) return 'evil';
  let at = start;
  while (at < end) {
    const kind = header[at]!;
    if (kind === option) return 'yes';
    at += kind < 2 ? 1 : header[at + 1] || 1;
  }
  return 'no';
}
