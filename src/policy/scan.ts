/**
 * Scans: questions that are answered by walking through a packet, each with a piece of code of its own. A scan is plain data
 * without bigint, so that equal questions have equal JSON.
 */

import type { ClassicScan } from './scan-classic.ts';
import type { DccpOptionScan } from './scan-dccp-option.ts';
import type { SctpChunksScan } from './scan-sctp-chunks.ts';
import type { TcpMssScan } from './scan-tcp-mss.ts';
import type { TextScan } from './scan-text.ts';
import type { U32Scan } from './scan-u32.ts';

export type ScanOutcome = 'no' | 'yes' | 'evil';

export type Scan =
  | ClassicScan
  | TextScan
  | ExtensionHeaderScan
  | HeaderSetScan
  | U32Scan
  | TcpMssScan
  | DccpOptionScan
  | SctpChunksScan;

/** Inclusive. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

/** `size` bytes at `offset` of a header, as a big-endian number, masked if there is a mask, lie in one of `ranges`. */
export interface HeaderTest {
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly mask?: number;
  /** Sorted, disjoint, not adjacent; none: never. */
  readonly ranges: readonly NumberRange[];
}

/**
 * The first IPv6 extension header of this number, as ipv6_find_hdr(skb, &offset, header, NULL, NULL) of Linux 6.18 finds it:
 * not behind ESP or "no next header", nor behind the header of a later fragment. All of the tests hold: yes; one does not: no.
 */
export interface ExtensionHeaderScan {
  readonly kind: 'extensionHeader';
  readonly header: 0 | 43 | 44 | 51 | 60;
  /** Bytes that the header must have at least, at most 16. */
  readonly least: number;
  /** Answer when it has fewer, or when the chain cannot be walked up to it. */
  readonly unreadable: 'evil' | 'no';
  /** Answer when the whole header, as long as its byte 1 says, does not lie in the packet; absent: nobody looks. */
  readonly cut?: 'evil' | 'no';
  readonly tests: readonly HeaderTest[];
  readonly rest?: OptionSequence | AddressSequence | SegmentTests;
}

/** The options of a hop-by-hop or destination header begin with these (ip6t_hbh). */
export interface OptionSequence {
  readonly kind: 'options';
  /** No length: any. Type 0 is one byte and has none. */
  readonly options: readonly { readonly type: number; readonly length?: number }[];
}

/** The addresses of a routing header of type 0 (ip6t_rt): exactly these, or these in this order with others between. */
export interface AddressSequence {
  readonly kind: 'addresses';
  /** 32 hexadecimal digits each. */
  readonly addresses: readonly string[];
  readonly strict: boolean;
}

/** Segments of a segment routing header (ip6t_srh); `segments left` is never more than `last entry`. */
export interface SegmentTests {
  readonly kind: 'segments';
  readonly tests: readonly {
    readonly segment: 'previous' | 'next' | 'last';
    /** 32 hexadecimal digits each; the address has no bits outside the mask, or nothing is equal to it. */
    readonly address: string;
    readonly mask: string;
    readonly invert: boolean;
  }[];
}

/** Which kinds of headers stand in the chain (ip6t_ipv6header), as bits of HEADER_BITS. */
export interface HeaderSetScan {
  readonly kind: 'headerSet';
  /** Only these bits are looked at. */
  readonly mask: number;
  readonly value: number;
  readonly invert: boolean;
}

/** MASK_* of ip6t_ipv6header.h. */
export const HEADER_BITS = {
  'hop-by-hop': 128,
  'ipv6-opts': 64,
  'ipv6-route': 32,
  'ipv6-frag': 16,
  ah: 8,
  esp: 4,
  'ipv6-nonxt': 2,
  protocol: 1,
} as const;

/** Whether two scans ask the same. */
export function sameScan(a: Scan, b: Scan): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Whether a scan begins at the transport header. */
export function readsTransport(scan: Scan): boolean {
  return scan.kind === 'tcpMss' || scan.kind === 'dccpOption' || scan.kind === 'sctpChunks';
}
