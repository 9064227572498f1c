import { type PacketView, readField, transportOf } from './packet-view.ts';
import type { NumberRange, ScanOutcome } from './scan.ts';

/**
 * The first maximum segment size option of a TCP header lies in one of `ranges`; without one: no. That the options can be read, and
 * that the data offset is not below 5, is asked before.
 */
export interface TcpMssScan {
  readonly kind: 'tcpMss';
  /** Sorted, disjoint, not adjacent. */
  readonly ranges: readonly NumberRange[];
}

const TCP_HEADER = 20;
const MSS = { kind: 2, length: 4 } as const;

/**
 * tcpmss_mt. An option of kind 2 counts only with length 4 and all of it before the end of the header; with any other length it is
 * stepped over like the rest. End-of-list is one more option of one byte, a length of 0 steps one byte.
 */
export function scanTcpMss({ ranges }: TcpMssScan, packet: PacketView): ScanOutcome {
  const start = transportOf(packet).offset;
  const options = packet.bytes.subarray(start + TCP_HEADER, start + Number(readField(packet, 'tcp.headerLength')));
  let at = 0;
  while (at < options.length) {
    const kind = options[at]!;
    const length = options[at + 1] ?? 0;
    if (kind === MSS.kind && length === MSS.length && options.length - at >= MSS.length) {
      const size = (options[at + 2]! << 8) | options[at + 3]!;
      return ranges.some(({ min, max }) => min <= size && size <= max) ? 'yes' : 'no';
    }
    at += kind < 2 ? 1 : length || 1;
  }
  return 'no';
}
