/** Which hooks reach which entries: the kernel's mark_source_chains, and its checks of hooks, policies and jumps. */

import { HOOKS } from '../packet/netfilter.ts';
import type { Entry } from './entries.ts';
import { HOOK_COUNT, type TableBlob, VERDICT } from './format.ts';
import { blobError } from './problem.ts';

/** Entries by offset. */
export type EntryIndex = ReadonlyMap<number, number>;

export function indexEntries(entries: readonly Entry[]): EntryIndex {
  return new Map(entries.map(({ offset }, at) => [offset, at]));
}

/** Every valid hook begins at an entry and ends with a policy, one behind the other. @throws BlobError */
export function checkHooks(blob: TableBlob, entries: readonly Entry[], index: EntryIndex): void {
  let [lastEntry, lastUnderflow] = [-1, -1];
  for (let hook = 0; hook < HOOK_COUNT; hook++) {
    if ((blob.validHooks & (1 << hook)) === 0) continue;
    const where = `chain ${HOOKS[hook]}`;
    const [start, end] = [blob.hookEntry[hook] ?? -1, blob.underflow[hook] ?? -1];
    const policy = entries[index.get(end) ?? -1];
    if (!index.has(start)) throw blobError('EINVAL', where, 'it does not begin at an entry');
    if (policy === undefined) throw blobError('EINVAL', where, 'its policy is no entry');
    const verdict = policy.target.kind === 'standard' ? policy.target.verdict : 0;
    if (!policy.unconditional || (verdict !== VERDICT.ACCEPT && verdict !== VERDICT.DROP))
      throw blobError('EINVAL', where, 'its policy is not an unconditional ACCEPT or DROP');
    if (start <= lastEntry || end <= lastUnderflow)
      throw blobError('EINVAL', where, 'the chains are not in the order of their hooks');
    [lastEntry, lastUnderflow] = [start, end];
  }
}

/**
 * For each entry the bits of the hooks that reach it. Every jump has to lead to an entry, none back into a chain that is
 * being run, and no way beyond the last entry. Takes time proportional to entries times hooks. @throws BlobError (ELOOP)
 */
export function reachedFrom(blob: TableBlob, entries: readonly Entry[], index: EntryIndex): readonly number[] {
  const reached = new Array<number>(entries.length).fill(0);
  for (let hook = 0; hook < HOOK_COUNT; hook++) {
    if ((blob.validHooks & (1 << hook)) !== 0)
      walk(1 << hook, index.get(blob.hookEntry[hook] ?? -1) ?? 0, entries, index, reached);
  }
  return reached;
}

function walk(hook: number, start: number, entries: readonly Entry[], index: EntryIndex, reached: number[]): void {
  /** From where an entry was come to; -1: not on the way. */
  const cameFrom = new Int32Array(entries.length).fill(-1);
  const onPath = new Uint8Array(entries.length);
  let at = start;
  cameFrom[at] = at;
  for (;;) {
    const entry = entries[at]!;
    const seen = (reached[at]! & hook) !== 0;
    if (onPath[at] === 1) throw loop(entry, 'a chain is entered while it is being run');
    reached[at]! |= hook;
    onPath[at] = 1;
    const verdict = entry.target.kind === 'standard' ? entry.target.verdict : 0;
    if (seen || (entry.unconditional && verdict < 0)) {
      const back = backtrack(at, entries, cameFrom, onPath);
      if (back === undefined) return;
      if (back + 1 >= entries.length) throw loop(entries[back]!, 'it runs beyond the last entry');
      cameFrom[back + 1] = back;
      at = back + 1;
    } else {
      const next = verdict > 0 ? index.get(verdict) : at + 1;
      if (next === undefined) throw loop(entry, `there is no entry at ${verdict} to jump to`);
      if (next >= entries.length) throw loop(entry, 'it runs beyond the last entry');
      cameFrom[next] = at;
      at = next;
    }
  }
}

/** The last entry on the way that jumped; undefined when the way is at its beginning again. */
function backtrack(
  from: number,
  entries: readonly Entry[],
  cameFrom: Int32Array,
  onPath: Uint8Array,
): number | undefined {
  let at = from;
  for (;;) {
    onPath[at] = 0;
    const before = cameFrom[at]!;
    cameFrom[at] = -1;
    if (before === at) return undefined;
    const stepped = entries[before]!.offset + entries[before]!.size === entries[at]!.offset;
    at = before;
    if (!stepped) return at;
  }
}

function loop(entry: Entry, why: string): Error {
  return blobError('ELOOP', `the entry at ${entry.offset}`, why);
}
