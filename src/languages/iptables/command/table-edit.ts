/**
 * Changing a table the way libiptc does: each operation succeeds or fails with the words that iptc_strerror has for it.
 * The table that comes out is a new one; the old stays as it was.
 */

import type { Family, TableName } from '../../../packet/netfilter.ts';
import { type Counters, type Rule, type Table, ZERO_COUNTERS } from '../../../rules/model.ts';
import { ruleWords } from '../print-rule.ts';
import {
  createTable,
  emptyChain,
  freezeTable,
  type MutableChain,
  openedChain,
  type TableDraft,
} from '../table-draft.ts';

/** Why an operation failed: the text of iptc_strerror. */
export interface Failed {
  readonly failed: string;
  /** EINVAL, which messages of the programs treat differently. */
  readonly invalid?: true;
}

export const NO_CHAIN: Failed = Object.freeze({ failed: 'No chain/target/match by that name' });
/** EINVAL without words of its own. */
export const INVALID_ARGUMENT: Failed = Object.freeze({ failed: 'Invalid argument', invalid: true });
/** ERANGE. */
export const OUT_OF_RANGE: Failed = Object.freeze({ failed: 'Numerical result out of range' });
const BAD_RULE: Failed = Object.freeze({ failed: 'Bad rule (does a matching rule exist in that chain?)' });

const VERDICTS: readonly string[] = ['ACCEPT', 'DROP', 'QUEUE', 'RETURN'];

/** A table that is being changed. */
export interface TableEdit {
  readonly family: Family;
  readonly draft: TableDraft;
  changed: boolean;
}

/** Opens a table; one that does not exist yet is as the kernel would make it. */
export function openTable(table: Table | undefined, name: TableName, family: Family): TableEdit {
  const edit = openEmptied(table, name, family);
  for (const chain of table?.chains ?? []) edit.draft.chains.set(chain.name, openedChain(chain));
  return edit;
}

/** The table without its rules and its chains of users. */
export function openEmptied(table: Table | undefined, name: TableName, family: Family): TableEdit {
  const span = table?.span ?? { source: { name: 'iptables', text: '' }, start: 0, end: 0 };
  return { family, draft: createTable(name, span, table), changed: false };
}

/** The table as data. */
export function closeTable({ draft }: TableEdit): Table {
  return freezeTable(draft);
}

/** The chains as iptables goes through them: built-in ones in the order of their hooks, others by name. */
export function orderedChains(edit: TableEdit): readonly string[] {
  return closeTable(edit).chains.map((chain) => chain.name);
}

export function isBuiltIn(edit: TableEdit, name: string): boolean {
  return edit.draft.chains.get(name)?.policy !== undefined;
}

export function hasChain(edit: TableEdit, name: string): boolean {
  return edit.draft.chains.has(name);
}

function chainOf(edit: TableEdit, name: string | undefined): MutableChain | undefined {
  return name === undefined ? undefined : edit.draft.chains.get(name);
}

export function appendRule(edit: TableEdit, name: string | undefined, rule: Rule): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain === undefined) return NO_CHAIN;
  edit.changed = true;
  if (chain.append === undefined) chain.rules.push(rule);
  else chain.append([rule]);
  return undefined;
}

/** `at` counts from 1. */
export function insertRule(edit: TableEdit, name: string | undefined, at: number, rule: Rule): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain === undefined) return NO_CHAIN;
  if (at - 1 > chain.rules.length) return { failed: 'Index of insertion too big' };
  edit.changed = true;
  chain.rules.splice(at - 1, 0, rule);
  return undefined;
}

export function replaceRule(edit: TableEdit, name: string | undefined, at: number, rule: Rule): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain === undefined) return NO_CHAIN;
  if (at > chain.rules.length) return { failed: 'Index of replacement too big' };
  edit.changed = true;
  chain.rules[at - 1] = rule;
  return undefined;
}

export function deleteNumber(edit: TableEdit, name: string | undefined, at: number): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain === undefined) return NO_CHAIN;
  if (at > chain.rules.length) return { failed: 'Index of deletion too big' };
  edit.changed = true;
  chain.rules.splice(at - 1, 1);
  return undefined;
}

/** Deletes, or only looks for, the first rule that says the same; counters do not matter. */
export function deleteRule(
  edit: TableEdit,
  name: string | undefined,
  rule: Rule,
  onlyLook: boolean,
): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain === undefined) return BAD_RULE;
  const { target } = rule;
  if ((target.kind === 'jump' || target.kind === 'goto') && isBuiltIn(edit, target.chain)) return INVALID_ARGUMENT;
  const words = comparable(rule, edit);
  const at = chain.rules.findIndex((other) => similar(rule, other) && comparable(other, edit) === words);
  // With a target that is no verdict libiptc has looked for a chain of its name meanwhile.
  if (at === -1) return target.kind === 'none' || target.kind === 'verdict' ? BAD_RULE : NO_CHAIN;
  if (onlyLook) return undefined;
  edit.changed = true;
  chain.rules.splice(at, 1);
  return undefined;
}

/** Cheap tests ahead of the words. */
function similar(one: Rule, other: Rule): boolean {
  return (
    one.target.kind === other.target.kind &&
    one.matches.length === other.matches.length &&
    one.ip.source?.value.address === other.ip.source?.value.address &&
    one.ip.destination?.value.address === other.ip.destination?.value.address &&
    one.ip.protocol?.value === other.ip.protocol?.value
  );
}

/** What rules have been compared by, for processes that look at the same rules again and again. */
const compared = new WeakMap<Rule, string>();

function comparable(rule: Rule, { family, draft }: TableEdit): string {
  const known = compared.get(rule);
  if (known !== undefined) return known;
  const words = ruleWords(rule, family, draft.name);
  compared.set(rule, words);
  return words;
}

/** Applies `change` to the named chain, or to all. */
function forChains(
  edit: TableEdit,
  name: string | undefined,
  change: (chain: MutableChain) => void,
): Failed | undefined {
  const chains = name === undefined ? [...edit.draft.chains.values()] : [chainOf(edit, name)];
  for (const chain of chains) {
    if (chain === undefined) return NO_CHAIN;
    edit.changed = true;
    change(chain);
  }
  return undefined;
}

export function flushChains(edit: TableEdit, name: string | undefined): Failed | undefined {
  return forChains(edit, name, (chain) => {
    chain.rules = [];
  });
}

export function zeroChains(edit: TableEdit, name: string | undefined): Failed | undefined {
  return forChains(edit, name, (chain) => {
    chain.counters = ZERO_COUNTERS;
    chain.rules = chain.rules.map((rule) => Object.freeze({ ...rule, counters: ZERO_COUNTERS }));
  });
}

export function zeroRule(edit: TableEdit, name: string | undefined, at: number): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain === undefined) return NO_CHAIN;
  const rule = chain.rules[at - 1];
  if (rule === undefined) return { failed: 'Index of counter too big' };
  edit.changed = true;
  // The table may have been closed to be listed.
  chain.rules = chain.rules.with(at - 1, Object.freeze({ ...rule, counters: ZERO_COUNTERS }));
  return undefined;
}

export function createChain(edit: TableEdit, name: string): Failed | undefined {
  if (hasChain(edit, name) || VERDICTS.includes(name)) return { failed: 'Chain already exists' };
  edit.changed = true;
  edit.draft.chains.set(name, emptyChain({ name, counters: ZERO_COUNTERS }));
  return undefined;
}

export function deleteChain(edit: TableEdit, name: string): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain === undefined) return NO_CHAIN;
  if (chain.policy !== undefined) return INVALID_ARGUMENT;
  if (references(edit, name) > 0) return { failed: 'Too many links' };
  if (chain.rules.length > 0) return { failed: 'Directory not empty' };
  edit.changed = true;
  edit.draft.chains.delete(name);
  return undefined;
}

/** Rules that go to the chain follow it. */
export function renameChain(edit: TableEdit, old: string, name: string): Failed | undefined {
  if (hasChain(edit, name) || VERDICTS.includes(name)) return { failed: 'File exists' };
  const chain = chainOf(edit, old);
  if (chain === undefined || chain.policy !== undefined) return NO_CHAIN;
  edit.changed = true;
  edit.draft.chains.delete(old);
  chain.name = name;
  edit.draft.chains.set(name, chain);
  for (const other of edit.draft.chains.values()) {
    other.rules = other.rules.map((rule) =>
      goesTo(rule, old)
        ? Object.freeze({ ...rule, target: Object.freeze({ ...rule.target, chain: name }) as Rule['target'] })
        : rule,
    );
  }
  return undefined;
}

/** Sets a policy and, if they are given, its counters. */
export function setPolicy(
  edit: TableEdit,
  name: string,
  policy: string,
  counters: Counters | undefined,
): Failed | undefined {
  const chain = chainOf(edit, name);
  if (chain?.policy === undefined) return { failed: 'Bad built-in chain name' };
  if (policy !== 'ACCEPT' && policy !== 'DROP') return { failed: 'Bad policy name', invalid: true };
  edit.changed = true;
  chain.policy = policy;
  if (counters !== undefined) chain.counters = counters;
  return undefined;
}

/** How many rules go to a chain. */
export function references({ draft }: TableEdit, name: string): number {
  let count = 0;
  for (const chain of draft.chains.values()) for (const rule of chain.rules) if (goesTo(rule, name)) count++;
  return count;
}

function goesTo({ target }: Rule, name: string): boolean {
  return (target.kind === 'jump' || target.kind === 'goto') && target.chain === name;
}
