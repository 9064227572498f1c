/** One table call of a process: whose it is, which table it means, and what it carries. */

import { ERRNO } from '../kernel/errno.ts';
import { readMemory } from '../kernel/process-memory.ts';
import type { Notification } from '../kernel/seccomp.ts';
import { type SocketPlace, socketPlace } from '../kernel/socket-namespace.ts';
import { SYSCALL_NUMBERS } from '../kernel/syscall.ts';
import type { Family } from '../packet/netfilter.ts';

export type CallKind = 'info' | 'entries' | 'replace' | 'add-counters';

/** Where the bytes of a call lie in its process. */
export interface TableCall {
  readonly kind: CallKind;
  readonly family: Family;
  readonly thread: number;
  /** The caller's descriptor of the socket. */
  readonly socket: number;
  readonly value: bigint;
  /** Of a call that changes: bytes of the value. Of one that reads: the address of their number. */
  readonly length: bigint;
}

const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'x64';
const FAMILY: ReadonlyMap<number, Family> = new Map([
  [0, 'ipv4'],
  [41, 'ipv6'],
]);
const DOMAIN = { ipv4: 2, ipv6: 10 } as const satisfies Record<Family, number>;

/** Undefined: nothing that is ours. */
export function tableCall({ call, thread, args }: Notification): TableCall | undefined {
  const low = (index: number): number => Number(BigInt.asIntN(32, args[index]!));
  const reads = call === SYSCALL_NUMBERS.getsockopt[ARCHITECTURE];
  const family = FAMILY.get(low(1));
  const option = low(2);
  if (family === undefined || (option !== 64 && option !== 65)) return undefined;
  const kind = reads ? (option === 64 ? 'info' : 'entries') : option === 64 ? 'replace' : 'add-counters';
  const length = reads ? args[4]! : BigInt.asIntN(32, args[4]!);
  return { kind, family, thread, socket: low(0), value: args[3]!, length };
}

/** Whether a socket is one whose options are the tables of the family. */
export function isTableSocket(place: SocketPlace | undefined, family: Family): place is SocketPlace {
  return place?.domain === DOMAIN[family];
}

export { socketPlace };

/** What the caller gave, or the error number that the kernel would answer. */
export function readValue({ kind, thread, value, length }: TableCall): Uint8Array | number {
  const bytes = kind === 'info' || kind === 'entries' ? lengthAt(thread, length) : Number(length);
  if (bytes === undefined) return ERRNO.EFAULT.number;
  if (bytes < 0 || bytes > LARGEST) return ERRNO.EINVAL.number;
  // Of an answer only the beginning says anything.
  const wanted = kind === 'entries' ? Math.min(bytes, ENTRIES_HEADER) : bytes;
  const read = readMemory(thread, value, wanted);
  return read ?? ERRNO.EFAULT.number;
}

/** The number of bytes that a reading call has room for. */
export function lengthAt(thread: number, address: bigint): number | undefined {
  const bytes = readMemory(thread, address, 4);
  return bytes === undefined ? undefined : new DataView(bytes.buffer).getInt32(0, true);
}

const ENTRIES_HEADER = 40;
/** More than the largest table that the kernel takes. */
const LARGEST = 600 * 1024 * 1024;
