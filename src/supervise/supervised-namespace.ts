/** One network namespace of a supervisor: who answers a table call there, the kernel or we, and what then changes. */

import { closeSync } from 'node:fs';
import { COUNTER_BYTES, COUNTERS_HEADER, GET_ENTRIES_HEADER, INFO_BYTES, REPLACE_HEADER } from '../abi/format.ts';
import { REPLACE_COUNTERS_AT, readReplace } from '../abi/messages.ts';
import { GENERATION_MAP, type Layout, layoutOf } from '../firewall/layout.ts';
import { release } from '../firewall/release.ts';
import { lockPath, type Session, withExclusiveSession, withSession } from '../firewall/session.ts';
import { readGeneration } from '../firewall/store.ts';
import { bpffsRoot } from '../kernel/bpffs.ts';
import { ERRNO, type ErrnoName } from '../kernel/errno.ts';
import { type OpenLock, openLock } from '../kernel/lock.ts';
import type { BpfMap } from '../kernel/map.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { readMemory, writeMemory } from '../kernel/process-memory.ts';
import { mayAdminister, type Owner, ownersOf } from '../kernel/socket-namespace.ts';
import { FAMILIES, type Family, isTableName } from '../packet/netfilter.ts';
import { type HeldFamily, heldOfPlan, openHeldFamily } from './held-family.ts';
import type { HeldTable } from './held-table.ts';
import { releaseHeld } from './release-held.ts';
import { lengthAt, type TableCall } from './request.ts';
import { takeOver } from './take-over.ts';

/** What becomes of a call: the kernel carries it out, or it ends with this error number (0: well). */
export type Verdict = 'kernel' | number;

const ok = 0;
const failed = (name: ErrnoName): number => ERRNO[name].number;
const NAME_BYTES = 32;
/** How long to wait for others that change the namespace. */
const LOCK_SECONDS = 10;
/** Changes that follow each other within so many milliseconds are one piece of work. */
const BURST = 200;
/** What a change takes besides, in calls that read, in milliseconds. */
const OVERHEAD = 1;

export interface NamespaceReport {
  /** What a reader of messages may want to know. */
  note(text: string): void;
  /** What must not go unsaid. */
  complain(text: string): void;
}

export class SupervisedNamespace {
  readonly #cookie: bigint;
  readonly #fd: number;
  readonly #report: NamespaceReport;
  #layout: Layout;
  #owners: readonly Owner[] | undefined;
  #lock: OpenLock | undefined;
  /** The generation word, while it is not 0. */
  #word: BpfMap | undefined;
  readonly #held = new Map<Family, HeldFamily>();
  /** Rules that the kernel has may have changed since they were last looked at. */
  #unsettled = false;
  #lastChange = 0;
  /** Milliseconds that taking over took the last time. */
  #cost = 0;
  #giveBackCost = 25;
  /** Of changes in memory that followed each other at once: when the last came, and what they took. */
  #lastReplace = 0;
  #spent = 0;

  /** Owns the descriptor of the namespace. */
  constructor(cookie: bigint, fd: number, report: NamespaceReport) {
    this.#cookie = cookie;
    this.#fd = fd;
    this.#report = report;
    this.#layout = layoutOf(bpffsRoot(), cookie);
  }

  get #path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  /** `isWaiting` tells whether what was read of the caller's memory was its own. */
  answer(call: TableCall, isWaiting: () => boolean): Verdict {
    const changes = call.kind === 'replace' || call.kind === 'add-counters';
    if (changes) this.#lastChange = performance.now();
    const held = this.#heldFamily(call.family);
    if (held === undefined || held.tables.size === 0) {
      this.#unsettled ||= changes;
      return 'kernel';
    }
    const length = !changes ? lengthAt(call.thread, call.length) : Number(call.length);
    if (length === undefined) return failed('EFAULT');
    if (length < 0) return failed('EINVAL');
    this.#owners ??= ownersOf(this.#fd);
    if (!mayAdminister(call.thread, this.#owners)) return failed('EPERM');
    const { least, head: headBytes } = SHAPE[call.kind];
    if (length < least || (call.kind === 'info' && length !== least)) return failed('EINVAL');
    const head = readMemory(call.thread, call.value, headBytes);
    if (head === undefined || !isWaiting()) return failed('EFAULT');
    const table = tableOf(held, head);
    if (table === undefined) {
      this.#unsettled ||= changes;
      return 'kernel';
    }
    switch (call.kind) {
      case 'info':
        return written(call, 0, table.info());
      case 'entries':
        return entries(call, table, head, length);
      case 'replace':
        return this.#replace(call, held, table, Math.min(length, sizeOfReplace(head)), isWaiting);
      case 'add-counters':
        return this.#addCounters(call, held, table, head, length, isWaiting);
    }
  }

  /** The family's tables if programs run any; what others have changed is looked at anew. */
  #heldFamily(family: Family): HeldFamily | undefined {
    const generation = this.#generation();
    const known = this.#held.get(family);
    if (known?.isCurrent(this.#layout, generation) === true) return known;
    known?.close();
    this.#held.delete(family);
    if (generation === 0) return undefined;
    const held = withSession(this.#path, ({ layout }) => openHeldFamily(layout, family));
    if (held !== undefined) this.#held.set(family, held);
    return held;
  }

  /** The generation in force. The map outlives generations; whoever removes it writes 0 first. */
  #generation(): number {
    for (;;) {
      const value = this.#word?.readValue();
      const now = value === undefined ? 0 : Number(Buffer.from(value).readBigUInt64LE(0));
      if (now !== 0) return now;
      // Numbers of generations begin anew.
      if (this.#word !== undefined) this.#forget();
      this.#word?.close();
      this.#word = undefined;
      if (readGeneration(this.#layout) === 0) return 0;
      this.#word = openPinnedMap(this.#layout.map(GENERATION_MAP));
    }
  }

  #replace(call: TableCall, held: HeldFamily, table: HeldTable, length: number, isWaiting: () => boolean): Verdict {
    const bytes = readMemory(call.thread, call.value, length);
    if (!isWaiting()) return failed('EFAULT');
    // Whatever is wrong with it, the kernel says as ever.
    if (bytes === undefined) return this.#giveBack();
    const request = readReplace(bytes);
    if ('problem' in request) return this.#giveBack();
    const change = table.compare(request.blob);
    if (change === 'other') return this.#giveBack();
    const target = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readBigUInt64LE(REPLACE_COUNTERS_AT);
    // The kernel looks at rules first, and we have not.
    if (request.numCounters !== table.entryCount) return change === 'none' ? failed('EAGAIN') : this.#giveBack();
    if (this.#hurry()) return this.#giveBack();
    const begin = performance.now();
    const old = this.#alone(() => {
      const generation = this.#generation();
      if (this.#held.get(call.family) !== held || !held.isCurrent(this.#layout, generation)) return undefined;
      // The counters of before: what goes has counted, too.
      const counters = table.takeCounters();
      if (change === 'none' || held.change(table, request.blob, change)) return counters;
      table.addCounters(counters);
      return undefined;
    });
    if (old === undefined) return this.#giveBack();
    if (change !== 'none')
      this.#report.note(
        `${table.family} ${table.name}: changed in memory in ${(performance.now() - begin).toFixed(1)} ms`,
      );
    writeMemory(call.thread, target, old);
    this.#spent += performance.now() - begin + OVERHEAD;
    return ok;
  }

  /**
   * Whether so many changes follow each other that the kernel takes them sooner, although it has to get its tables first. Together they then
   * never take more than twice what the better way would have.
   */
  #hurry(): boolean {
    const now = performance.now();
    if (now - this.#lastReplace > BURST) this.#spent = 0;
    this.#lastReplace = now;
    return this.#spent > this.#giveBackCost;
  }

  #addCounters(
    call: TableCall,
    held: HeldFamily,
    table: HeldTable,
    head: Uint8Array,
    length: number,
    isWaiting: () => boolean,
  ): Verdict {
    const count = new DataView(head.buffer, head.byteOffset).getUint32(NAME_BYTES, true);
    if (length !== COUNTERS_HEADER + COUNTER_BYTES * count) return failed('EINVAL');
    const bytes = readMemory(call.thread, call.value, length);
    if (bytes === undefined || !isWaiting()) return failed('EFAULT');
    if (count !== table.entryCount) return failed('EINVAL');
    return this.#alone(() => {
      const generation = this.#generation();
      if (this.#held.get(call.family) !== held || !held.isCurrent(this.#layout, generation)) return failed('EAGAIN');
      table.addCounters(bytes.subarray(COUNTERS_HEADER));
      return ok;
    });
  }

  #alone<T>(work: () => T): T {
    this.#lock ??= openLock(lockPath(this.#cookie));
    return this.#lock.hold(LOCK_SECONDS * 1000, work);
  }

  /** The kernel gets its rules back, and with them the call. */
  #giveBack(): Verdict {
    const begin = performance.now();
    try {
      withExclusiveSession(this.#path, LOCK_SECONDS, ({ layout }) => {
        if (!releaseHeld(layout, this.#held)) release(layout);
      });
    } catch (error) {
      this.#report.complain(`the rules could not be given back to the kernel: ${messageOf(error)}`);
      return failed('EBUSY');
    }
    this.#forget();
    this.#unsettled = true;
    this.#spent = 0;
    this.#giveBackCost = performance.now() - begin;
    this.#report.note(`rules given back to the kernel in ${Math.round(this.#giveBackCost)} ms`);
    return 'kernel';
  }

  #forget(): void {
    for (const held of this.#held.values()) held.close();
    this.#held.clear();
  }

  /** Milliseconds until `settle` should be called; undefined: there is nothing to do. */
  settlesIn(quiet: number): number | undefined {
    if (!this.#unsettled) return undefined;
    // Who changes rules every now and then is not to wait for compiling every time.
    return Math.max(0, this.#lastChange + Math.max(quiet, quiet === 0 ? 0 : this.#cost * 2) - performance.now());
  }

  /** Lets programs take over what the kernel has got meanwhile. */
  settle(): void {
    this.#unsettled = false;
    const begin = performance.now();
    try {
      withExclusiveSession(this.#path, LOCK_SECONDS, (session) => this.#takeOver(session));
    } catch (error) {
      this.#report.complain(`the rules stay with the kernel: ${messageOf(error)}`);
    }
    this.#cost = performance.now() - begin;
  }

  #takeOver(session: Session): void {
    this.#layout = session.layout;
    const taken = takeOver(session);
    if (taken === undefined) return;
    if (taken.plans.length > 0) this.#forget();
    for (const plan of taken.plans) this.#held.set(plan.family, heldOfPlan(session.layout, taken.generation, plan));
    for (const note of taken.notes) this.#report.note(note);
    const names = taken.plans.flatMap(({ family, state }) => state.tables.map(({ name }) => `${family} ${name}`));
    if (names.length > 0) this.#report.note(`taken over: ${names.join(', ')}`);
  }

  close(): void {
    this.#forget();
    this.#lock?.close();
    this.#word?.close();
    closeSync(this.#fd);
  }

  /** Families whose rules run as programs. */
  get families(): readonly Family[] {
    return FAMILIES.filter((family) => this.#held.has(family));
  }
}

/** How many bytes a call must have, and how many of them are looked at before all others. */
const SHAPE = {
  info: { least: INFO_BYTES, head: NAME_BYTES },
  entries: { least: GET_ENTRIES_HEADER, head: GET_ENTRIES_HEADER },
  replace: { least: REPLACE_HEADER, head: REPLACE_HEADER },
  'add-counters': { least: COUNTERS_HEADER + 1, head: COUNTERS_HEADER },
} as const satisfies Record<TableCall['kind'], { readonly least: number; readonly head: number }>;

/** Bytes of a REPLACE, by its header; what comes behind them is not looked at. */
function sizeOfReplace(head: Uint8Array): number {
  return REPLACE_HEADER + new DataView(head.buffer, head.byteOffset).getUint32(REPLACE_SIZE_AT, true);
}

const REPLACE_SIZE_AT = 40;

function tableOf(held: HeldFamily, head: Uint8Array): HeldTable | undefined {
  const field = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, NAME_BYTES));
  const end = field.indexOf(0);
  const name = field.toString('latin1', 0, end === -1 ? NAME_BYTES - 1 : end);
  return isTableName(name) ? held.tables.get(name) : undefined;
}

function entries(call: TableCall, table: HeldTable, head: Uint8Array, length: number): Verdict {
  const size = new DataView(head.buffer, head.byteOffset).getUint32(NAME_BYTES, true);
  if (length !== GET_ENTRIES_HEADER + size) return failed('EINVAL');
  if (size !== table.size) return failed('EAGAIN');
  return written(call, GET_ENTRIES_HEADER, table.entries());
}

function written({ thread, value }: TableCall, offset: number, bytes: Uint8Array): Verdict {
  return writeMemory(thread, value + BigInt(offset), bytes) ? ok : failed('EFAULT');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
