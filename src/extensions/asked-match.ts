/** Questions that are matches of the kernel's own: their structures, little-endian and as iptables fills them. */

import type { Question } from '../policy/question.ts';

/** Where the fields of a structure go: offsets in bytes. */
export interface InfoWriter {
  u8(at: number, value: number | bigint): void;
  u16(at: number, value: number | bigint): void;
  u32(at: number, value: number | bigint): void;
  u64(at: number, value: bigint): void;
  bytes(at: number, bytes: Uint8Array): void;
}

/** The match `name`, with a structure of `size` bytes; what `fill` does not write is zero. */
export function matchQuestion(
  name: string,
  revision: number,
  size: number,
  fill: (info: InfoWriter) => void,
): Question {
  const info = new Uint8Array(Math.ceil(size / 8) * 8);
  const view = new DataView(info.buffer);
  fill({
    u8: (at, value) => view.setUint8(at, Number(value)),
    u16: (at, value) => view.setUint16(at, Number(value), true),
    u32: (at, value) => view.setUint32(at, Number(value), true),
    u64: (at, value) => view.setBigUint64(at, value, true),
    bytes: (at, bytes) => info.set(bytes, at),
  });
  return Object.freeze({ kind: 'extension', name, revision, info: Object.freeze([...info]) });
}
