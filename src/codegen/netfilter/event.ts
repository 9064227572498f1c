/**
 * The record that a LOG or NFLOG rule puts into the ring buffer. It is complete in itself: whoever reads it needs neither the
 * rules nor the generation that wrote it.
 *
 *     0 .. 96     of the packet (EVENT_FIELDS), addresses and names as bytes
 *     96 .. 216   of the rule, copied from the log map (log-record.ts)
 *     216 ..      the first bytes of the packet from the IP header on, as many as `captured` says
 *
 * Integers are little endian.
 */

import { FAMILIES, type Family, HOOKS, type Hook, TABLES, type TableName } from '../../packet/netfilter.ts';
import type { LogSpec } from '../../policy/ir.ts';
import { decodeLogRecord, getText, LOG_RECORD_BYTES } from './log-record.ts';

/** Most bytes of a packet, and of its link-layer header, that an event carries. */
export const EVENT_PACKET_BYTES = 256;
export const EVENT_MAC_BYTES = 32;

/** Offset and width in bytes. */
export const EVENT_FIELDS = {
  /** bpf_ktime_get_ns: monotonic nanoseconds. */
  time: { offset: 0, size: 8 },
  /** skb->len, skb->mark */
  length: { offset: 8, size: 4 },
  mark: { offset: 12, size: 4 },
  uid: { offset: 16, size: 4 },
  gid: { offset: 20, size: 4 },
  captured: { offset: 24, size: 2 },
  /** ARPHRD_* of skb->dev */
  linkType: { offset: 26, size: 2 },
  /** enum nf_inet_hooks */
  hook: { offset: 28, size: 1 },
  /** EVENT_FLAGS */
  flags: { offset: 29, size: 1 },
  macLength: { offset: 30, size: 1 },
  inDevice: { offset: 32, size: 16 },
  outDevice: { offset: 48, size: 16 },
  mac: { offset: 64, size: EVENT_MAC_BYTES },
  rule: { offset: 96, size: LOG_RECORD_BYTES },
  packet: { offset: 96 + LOG_RECORD_BYTES, size: EVENT_PACKET_BYTES },
} as const;

/** There is an input device; there is an owner. */
export const EVENT_FLAGS = { inDevice: 1, owner: 2 } as const;

/** Bytes of every event. */
export const EVENT_BYTES = EVENT_FIELDS.packet.offset + EVENT_FIELDS.packet.size;

export interface LogEvent {
  readonly family: Family;
  readonly table: TableName;
  readonly hook: Hook;
  readonly chain: string;
  /** 1-based number of the rule in its chain. */
  readonly rule: number;
  /** What the rule says. */
  readonly log: LogSpec;
  /** Monotonic nanoseconds. */
  readonly time: bigint;
  /** Empty: none. */
  readonly inDevice: string;
  readonly outDevice: string;
  /** ARPHRD_* and bytes of the link-layer header; absent without an input device, without bytes when there is no header. */
  readonly link?: { readonly type: number; readonly bytes: Uint8Array };
  readonly mark: number;
  /** Of the socket's file; absent without one. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** skb->len */
  readonly length: number;
  /** The first bytes of the packet, at most 256. */
  readonly bytes: Uint8Array;
}

/** Reads an event; undefined when the bytes are not one. The event keeps no reference to `record`. */
export function decodeEvent(record: Uint8Array): LogEvent | undefined {
  if (record.length < EVENT_BYTES) return undefined;
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const rule = decodeLogRecord(bytesOf(record, 'rule'));
  const hook = HOOKS[view.getUint8(EVENT_FIELDS.hook.offset)];
  const family = FAMILIES[rule.family];
  const table = TABLES[rule.table];
  if (hook === undefined || family === undefined || table === undefined) return undefined;
  const u32 = (field: keyof typeof EVENT_FIELDS): number => view.getUint32(EVENT_FIELDS[field].offset, true);
  const u16 = (field: keyof typeof EVENT_FIELDS): number => view.getUint16(EVENT_FIELDS[field].offset, true);
  const flags = view.getUint8(EVENT_FIELDS.flags.offset);
  const mac = bytesOf(record, 'mac').subarray(0, view.getUint8(EVENT_FIELDS.macLength.offset));
  return {
    family,
    table,
    hook,
    chain: rule.chain,
    rule: rule.rule,
    log: rule.log,
    time: view.getBigUint64(EVENT_FIELDS.time.offset, true),
    inDevice: getText(record, EVENT_FIELDS.inDevice),
    outDevice: getText(record, EVENT_FIELDS.outDevice),
    ...(flags & EVENT_FLAGS.inDevice ? { link: { type: u16('linkType'), bytes: mac.slice() } } : {}),
    mark: u32('mark'),
    ...(flags & EVENT_FLAGS.owner ? { owner: { uid: u32('uid'), gid: u32('gid') } } : {}),
    length: u32('length'),
    bytes: bytesOf(record, 'packet').slice(0, u16('captured')),
  };
}

function bytesOf(record: Uint8Array, field: keyof typeof EVENT_FIELDS): Uint8Array {
  const { offset, size } = EVENT_FIELDS[field];
  return record.subarray(offset, offset + size);
}
