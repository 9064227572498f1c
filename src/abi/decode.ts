/** From a table's binary form to rules. */

import type { MatchExtension, TargetExtension } from '../extensions/contract.ts';
import { LayoutError, type XtContext, type XtSets } from '../extensions/layouts/layout.ts';
import { type Family, HOOKS, isTableName, type TableName } from '../packet/netfilter.ts';
import type { Chain, Counters, IpPart, MatchUse, Rule, Table, Target } from '../rules/model.ts';
import { ZERO_COUNTERS } from '../rules/model.ts';
import { type Entry, readEntries } from './entries.ts';
import { decodeMatch, decodeTarget } from './extension-info.ts';
import {
  ENTRY,
  ERROR_NAME,
  HEADER,
  STANDARD_TARGET_BYTES,
  type TableBlob,
  VERDICT,
  type Verdict,
  validHooks,
} from './format.ts';
import { readIpPart } from './ip-part.ts';
import { BlobError, type BlobProblem, blobError } from './problem.ts';
import { checkHooks, type EntryIndex, indexEntries, reachedFrom } from './reach.ts';

export type DecodeResult = { readonly table: Table } | { readonly problem: BlobProblem };

/**
 * The table that a blob holds. It is checked as REPLACE checks it, in the same order; the first thing that is wrong, or that
 * no rule can say, is the problem. Never throws, whatever the bytes are.
 */
export function decodeTable(blob: TableBlob, family: Family, sets?: XtSets): DecodeResult {
  try {
    return { table: read(blob, family, sets) };
  } catch (error) {
    if (error instanceof BlobError) return { problem: error.problem };
    if (error instanceof LayoutError)
      return { problem: blobError('unsupported', `table ${blob.name}`, error.message).problem };
    throw error;
  }
}

/** Where an entry that is read by itself stands. */
export interface EntryPlace {
  readonly family: Family;
  readonly table: TableName;
  /** Its offset in the table that it was taken from. */
  readonly offset: number;
  /** The bits of the hooks that reach it. */
  readonly reached: number;
}

/**
 * The rule of one entry, with the checks that concern it alone; `bytes` is exactly that entry. A jump to a chain is a problem: which chain it
 * is only the whole table knows. Never throws.
 */
export function decodeRule(
  bytes: Uint8Array,
  { family, table, offset, reached }: EntryPlace,
): { readonly rule: Rule } | { readonly problem: BlobProblem } {
  try {
    const alone = toBeginning(bytes, offset);
    const entries = readEntries({ ...NO_BLOB, name: table, numEntries: 1, entries: alone }, family);
    const index = indexEntries(entries);
    return {
      rule: rule({ table, family, sets: undefined, entries, index, heads: new Map(), reached: [reached] }, 0),
    };
  } catch (error) {
    if (error instanceof BlobError) return { problem: error.problem };
    if (error instanceof LayoutError) return { problem: blobError('unsupported', 'a rule', error.message).problem };
    throw error;
  }
}

const NO_BLOB: Omit<TableBlob, 'name' | 'numEntries' | 'entries'> = { validHooks: 0, hookEntry: [], underflow: [] };

/** The entry as it would be at offset 0: a rule without target goes on to the entry behind it. */
function toBeginning(bytes: Uint8Array, offset: number): Uint8Array {
  // Not slice(): a Buffer's is no copy.
  const copy = new Uint8Array(bytes);
  const at = copy.length - STANDARD_TARGET_BYTES + HEADER.size;
  const view = new DataView(copy.buffer);
  const standard = copy.length >= STANDARD_TARGET_BYTES && copy[at - HEADER.size + HEADER.name] === 0;
  if (standard && view.getInt32(at, true) === offset + copy.length) view.setInt32(at, copy.length, true);
  return copy;
}

interface Reading {
  readonly table: TableName;
  readonly family: Family;
  readonly sets: XtSets | undefined;
  readonly entries: readonly Entry[];
  readonly index: EntryIndex;
  /** Names of user chains by the position of their first rule. */
  readonly heads: ReadonlyMap<number, string>;
  readonly reached: readonly number[];
}

function read(blob: TableBlob, family: Family, sets: XtSets | undefined): Table {
  const entries = readEntries(blob, family);
  const index = indexEntries(entries);
  checkHooks(blob, entries, index);
  const reached = reachedFrom(blob, entries, index);
  if (!isTableName(blob.name)) throw blobError('ENOENT', `table ${blob.name}`, 'there is none of that name');
  const reading: Reading = { table: blob.name, family, sets, entries, index, heads: headsOf(entries), reached };
  const chains = chainsOf(reading, blob);
  if (blob.validHooks !== validHooks(blob.name))
    throw blobError('EINVAL', `table ${blob.name}`, 'it has other hooks than it should');
  return Object.freeze({ name: blob.name, chains: Object.freeze(chains) });
}

/** User chains begin behind an ERROR entry with their name; the last such entry ends the table. */
function headsOf(entries: readonly Entry[]): ReadonlyMap<number, string> {
  const heads = new Map<number, string>();
  for (const [at, { target }] of entries.entries()) {
    if (target.kind === 'error' && at + 1 < entries.length) heads.set(at + 1, target.text);
  }
  return heads;
}

function chainsOf(reading: Reading, blob: TableBlob): readonly Chain[] {
  const { entries, index } = reading;
  const builtIn: Chain[] = [];
  const user: Chain[] = [];
  const last = entries.at(-1)?.target;
  if (last?.kind !== 'error' || last.text !== ERROR_NAME)
    throw blobError('unsupported', `table ${blob.name}`, 'its last entry does not end it');
  let at = 0;
  for (const [hook, name] of HOOKS.entries()) {
    if ((blob.validHooks & (1 << hook)) === 0) continue;
    const end = index.get(blob.underflow[hook]!)!;
    if (index.get(blob.hookEntry[hook]!) !== at || end < at)
      throw blobError('unsupported', `chain ${name}`, 'it does not follow the chain before it');
    builtIn.push(chain(reading, name, at, end, entries[end]!));
    at = end + 1;
  }
  while (at < entries.length - 1) {
    const head = entries[at]!;
    if (head.target.kind !== 'error')
      throw blobError('unsupported', `the entry at ${head.offset}`, 'it is in no chain');
    let end = at + 1;
    while (entries[end]!.target.kind !== 'error') end++;
    const foot = entries[end - 1]!;
    if (
      end - 1 === at ||
      !foot.unconditional ||
      foot.target.kind !== 'standard' ||
      foot.target.verdict !== VERDICT.RETURN
    )
      throw blobError('unsupported', `chain ${head.target.text}`, 'it does not end with RETURN');
    user.push(chain(reading, head.target.text, at + 1, end - 1, undefined));
    at = end;
  }
  const names = [...builtIn, ...user].map((item) => item.name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) throw blobError('unsupported', `chain ${twice}`, 'there are two of that name');
  return [...builtIn, ...user.sort((a, b) => (a.name < b.name ? -1 : 1))];
}

function chain(reading: Reading, name: string, from: number, to: number, policy: Entry | undefined): Chain {
  const rules: Rule[] = [];
  for (let at = from; at < to; at++) rules.push(rule(reading, at));
  const verdict = policy?.target.kind === 'standard' ? policy.target.verdict : undefined;
  return Object.freeze({
    name,
    ...(verdict === undefined ? {} : { policy: verdict === VERDICT.DROP ? ('DROP' as const) : ('ACCEPT' as const) }),
    counters: policy === undefined ? ZERO_COUNTERS : countersOf(policy, reading.family),
    rules: Object.freeze(rules),
  });
}

function countersOf({ view }: Entry, family: Family): Counters {
  const at = ENTRY[family].counters;
  return Object.freeze({ packets: view.getBigUint64(at, true), bytes: view.getBigUint64(at + 8, true) });
}

function rule(reading: Reading, at: number): Rule {
  const { family, sets } = reading;
  const entry = reading.entries[at]!;
  const ip = readIpPart(entry.view, family, `the entry at ${entry.offset}`);
  const ctx: XtContext = { family, ip, ...(sets === undefined ? {} : { sets }) };
  const matches = entry.matches.map((part): MatchUse => {
    const { extension, options } = decodeMatch(part, ctx);
    checkPlace(`match "${part.name}"`, extension, options, ip, reading, at);
    return Object.freeze({ name: extension.name, options });
  });
  return Object.freeze({
    ip,
    matches: Object.freeze(matches),
    target: target(reading, at, ctx),
    counters: countersOf(entry, family),
  });
}

function target(reading: Reading, at: number, ctx: XtContext): Target {
  const entry = reading.entries[at]!;
  const part = entry.target;
  const where = `the entry at ${entry.offset}`;
  if (part.kind === 'error') throw blobError('unsupported', where, 'an ERROR target stands in a chain');
  const goes = (entry.view.getUint8(ENTRY[ctx.family].flags) & ENTRY[ctx.family].goto) !== 0;
  if (part.kind === 'extension') {
    const { extension, options } = decodeTarget(part, ctx);
    checkPlace(`target "${part.name}"`, extension, options, ctx.ip, reading, at);
    if (goes) throw blobError('unsupported', where, 'only jumps can be gotos');
    return Object.freeze({ kind: 'extension', name: extension.name, options });
  }
  if (part.verdict > 0 && part.verdict === entry.offset + entry.size && !goes) return Object.freeze({ kind: 'none' });
  if (part.verdict > 0) {
    const name = reading.heads.get(reading.index.get(part.verdict) ?? -1);
    if (name === undefined) throw blobError('unsupported', where, 'it jumps into the middle of a chain');
    return Object.freeze({ kind: goes ? 'goto' : 'jump', chain: name });
  }
  if (goes) throw blobError('unsupported', where, 'only jumps can be gotos');
  const verdict = (Object.keys(VERDICT) as Verdict[]).find((name) => VERDICT[name] === part.verdict)!;
  return Object.freeze({ kind: 'verdict', verdict });
}

/** xt_check_match and xt_check_target: tables, hooks that reach the rule, protocol. @throws BlobError (EINVAL) */
function checkPlace(
  what: string,
  extension: MatchExtension | TargetExtension,
  options: MatchUse['options'],
  ip: IpPart,
  { table, reached }: Reading,
  at: number,
): void {
  if (extension.tables !== undefined && !extension.tables.includes(table))
    throw blobError('EINVAL', what, `it may not be used in table ${table}`);
  const allowed: readonly string[] = extension.hooksFor?.(options) ?? extension.hooks ?? HOOKS;
  const wrong = HOOKS.find((hook, number) => ((reached[at] ?? 0) & (1 << number)) !== 0 && !allowed.includes(hook));
  if (wrong !== undefined) throw blobError('EINVAL', what, `it may not be reached from ${wrong}`);
  const { protocols } = extension;
  if (protocols === undefined) return;
  const given = ip.protocol;
  if (given === undefined || given.invert || !protocols.includes(given.value))
    throw blobError('EINVAL', what, 'its protocol is not asked for');
}
