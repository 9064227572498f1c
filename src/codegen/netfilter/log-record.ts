/** What the log map says of one LOG or NFLOG rule: the part of an event that is the same for every packet. */

import { FAMILIES, TABLES } from '../../packet/netfilter.ts';
import type { LogSpec, PolicyRule, TablePolicy } from '../../policy/ir.ts';

/** Offset and width in bytes; integers little endian, texts end with a NUL when they are shorter. */
const FIELDS = {
  prefix: { offset: 0, size: 64 },
  chain: { offset: 64, size: 32 },
  rule: { offset: 96, size: 4 },
  /** NFLOG's copy size. */
  copySize: { offset: 100, size: 4 },
  group: { offset: 104, size: 2 },
  threshold: { offset: 106, size: 2 },
  /** 0 LOG, 1 NFLOG */
  kind: { offset: 108, size: 1 },
  level: { offset: 109, size: 1 },
  flags: { offset: 110, size: 1 },
  /** Positions in FAMILIES and TABLES. */
  family: { offset: 111, size: 1 },
  table: { offset: 112, size: 1 },
} as const;

/** A multiple of 8. */
export const LOG_RECORD_BYTES = 120;

const KINDS = ['LOG', 'NFLOG'] as const;

/** Writes the record of a rule. */
export function encodeLogRecord(policy: TablePolicy, rule: PolicyRule, spec: LogSpec, out: Uint8Array): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  putText(out, FIELDS.prefix, spec.prefix);
  putText(out, FIELDS.chain, rule.provenance.chain);
  view.setUint32(FIELDS.rule.offset, rule.provenance.rule, true);
  view.setUint32(FIELDS.copySize.offset, spec.size, true);
  view.setUint16(FIELDS.group.offset, spec.group, true);
  view.setUint16(FIELDS.threshold.offset, spec.threshold, true);
  view.setUint8(FIELDS.kind.offset, KINDS.indexOf(spec.kind));
  view.setUint8(FIELDS.level.offset, spec.level);
  view.setUint8(FIELDS.flags.offset, spec.flags);
  view.setUint8(FIELDS.family.offset, FAMILIES.indexOf(policy.family));
  view.setUint8(FIELDS.table.offset, TABLES.indexOf(policy.table));
}

export interface LogRecord {
  readonly chain: string;
  readonly rule: number;
  readonly log: LogSpec;
  /** Positions in FAMILIES and TABLES. */
  readonly family: number;
  readonly table: number;
}

/** Reads a record of LOG_RECORD_BYTES bytes. */
export function decodeLogRecord(bytes: Uint8Array): LogRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    chain: getText(bytes, FIELDS.chain),
    rule: view.getUint32(FIELDS.rule.offset, true),
    family: view.getUint8(FIELDS.family.offset),
    table: view.getUint8(FIELDS.table.offset),
    log: {
      kind: KINDS[view.getUint8(FIELDS.kind.offset)] ?? 'LOG',
      prefix: getText(bytes, FIELDS.prefix),
      level: view.getUint8(FIELDS.level.offset),
      flags: view.getUint8(FIELDS.flags.offset),
      group: view.getUint16(FIELDS.group.offset, true),
      size: view.getUint32(FIELDS.copySize.offset, true),
      threshold: view.getUint16(FIELDS.threshold.offset, true),
    },
  };
}

interface TextField {
  readonly offset: number;
  readonly size: number;
}

function putText(out: Uint8Array, { offset, size }: TextField, text: string): void {
  out.set(new TextEncoder().encode(text).subarray(0, size), offset);
}

/** Text of a field, up to its first NUL. */
export function getText(bytes: Uint8Array, { offset, size }: TextField): string {
  const field = bytes.subarray(offset, offset + size);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end === -1 ? field : field.subarray(0, end));
}
