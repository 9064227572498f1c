/** Carries out the command of a line on the table that is being read. */

import type { Rule } from '../../rules/model.ts';
import { ZERO_COUNTERS } from '../../rules/model.ts';
import type { Command, Numbered } from './command.ts';
import { ruleWords } from './print-rule.ts';
import type { Place } from './report.ts';
import type { LineContext } from './rule-draft.ts';
import { emptyChain, type MutableChain, type TableDraft } from './table-draft.ts';
import type { Word } from './words.ts';

/** Changes `table`, or reports why the command cannot be carried out. */
export function applyCommand(command: Command, table: TableDraft, ctx: LineContext): void {
  switch (command.kind) {
    case 'append':
    case 'delete':
    case 'check':
    case 'insert':
    case 'replace':
    case 'delete-number': {
      const chain = chainOf(command.chain, table, ctx);
      if (chain !== undefined) changeRules(command, chain, ctx);
      return;
    }
    case 'new-chain':
      declareChain(command.chain.text, command.chain, table, ctx);
      return;
    case 'policy':
      setPolicy(command.chain, command.policy, table, ctx);
      return;
    case 'flush':
      for (const chain of chosen(command.chain, table, ctx)) chain.rules = [];
      return;
    case 'zero':
      for (const chain of chosen(command.chain, table, ctx)) zeroCounters(chain, command.at, ctx);
      return;
    case 'delete-chain':
      deleteChains(command.chain, table, ctx);
      return;
    case 'rename-chain':
      renameChain(command.chain, command.name, table, ctx);
      return;
  }
}

type RuleCommand = Extract<Command, { kind: 'append' | 'delete' | 'check' | 'insert' | 'replace' | 'delete-number' }>;

function changeRules(command: RuleCommand, chain: MutableChain, ctx: LineContext): void {
  switch (command.kind) {
    case 'append':
      if (chain.append === undefined) chain.rules.push(...command.rules);
      else chain.append(command.rules);
      return;
    case 'insert':
      // Each goes to the same place, so that several come out in reverse order.
      if (!inRange(command.at, chain, chain.rules.length + 1, ctx)) return;
      chain.rules.splice(command.at.number - 1, 0, ...[...command.rules].reverse());
      return;
    case 'replace':
      if (command.rules.length !== 1) {
        ctx.report.add('several-addresses', command.chain);
        return;
      }
      if (inRange(command.at, chain, chain.rules.length, ctx))
        chain.rules.splice(command.at.number - 1, 1, ...command.rules);
      return;
    case 'delete-number':
      if (inRange(command.at, chain, chain.rules.length, ctx)) chain.rules.splice(command.at.number - 1, 1);
      return;
    case 'delete':
    case 'check':
      for (const rule of command.rules) {
        const at = findRule(rule, chain, ctx);
        if (at === -1) {
          ctx.report.add('no-such-rule', command.chain, { chain: chain.name });
          return;
        }
        if (command.kind === 'delete') chain.rules.splice(at, 1);
      }
      return;
  }
}

/** The first rule that says the same; counters do not matter. */
function findRule(rule: Rule, chain: MutableChain, ctx: LineContext): number {
  const words = ruleWords(rule, ctx.family, ctx.table);
  return chain.rules.findIndex((other) => ruleWords(other, ctx.family, ctx.table) === words);
}

function inRange(at: Numbered, chain: MutableChain, last: number, ctx: LineContext): boolean {
  if (at.number <= last) return true;
  ctx.report.add('rule-number-range', at.word, { chain: chain.name, count: chain.rules.length, number: at.number });
  return false;
}

function chainOf(word: Word, table: TableDraft, ctx: LineContext): MutableChain | undefined {
  const chain = table.chains.get(word.text);
  if (chain === undefined) ctx.report.add('unknown-chain', word, { table: table.name, chain: word.text });
  return chain;
}

/** The named chain, or all. */
function chosen(word: Word | undefined, table: TableDraft, ctx: LineContext): readonly MutableChain[] {
  if (word === undefined) return [...table.chains.values()];
  const chain = chainOf(word, table, ctx);
  return chain === undefined ? [] : [chain];
}

/** Adds an empty user chain. The name was checked. */
export function declareChain(name: string, place: Place, table: TableDraft, ctx: LineContext): void {
  const earlier = table.chains.get(name);
  if (earlier !== undefined) {
    const notes = earlier.span === undefined ? [] : [{ message: 'first declared here', span: earlier.span }];
    ctx.report.add('duplicate-chain', place, { table: table.name, chain: name }, notes);
    return;
  }
  table.chains.set(name, emptyChain({ name, counters: ZERO_COUNTERS, span: ctx.report.span(place) }));
}

/** Sets the policy of a built-in chain. */
export function setPolicy(chainWord: Word, policyWord: Word, table: TableDraft, ctx: LineContext): void {
  const chain = table.chains.get(chainWord.text);
  const policy = policyWord.text;
  if (chain?.policy === undefined) {
    ctx.report.add('policy-on-user-chain', chainWord, { chain: chainWord.text, table: table.name });
  } else if (policy !== 'ACCEPT' && policy !== 'DROP') {
    ctx.report.add('bad-policy', policyWord, { policy });
  } else {
    chain.policy = policy;
  }
}

function zeroCounters(chain: MutableChain, at: Numbered | undefined, ctx: LineContext): void {
  if (at === undefined) {
    chain.counters = ZERO_COUNTERS;
    chain.rules = chain.rules.map((rule) => Object.freeze({ ...rule, counters: ZERO_COUNTERS }));
    return;
  }
  if (!inRange(at, chain, chain.rules.length, ctx)) return;
  const rule = chain.rules[at.number - 1];
  if (rule !== undefined) chain.rules[at.number - 1] = Object.freeze({ ...rule, counters: ZERO_COUNTERS });
}

function deleteChains(word: Word | undefined, table: TableDraft, ctx: LineContext): void {
  const chains =
    word === undefined
      ? [...table.chains.values()].filter((chain) => chain.policy === undefined)
      : chosen(word, table, ctx);
  const place = word ?? { start: 0, end: 0 };
  for (const chain of chains) {
    if (chain.policy !== undefined) ctx.report.add('built-in-chain', place, { chain: chain.name, action: 'deleted' });
    else if (chain.rules.length > 0) ctx.report.add('chain-not-empty', place, { chain: chain.name });
    else if (isUsed(chain.name, table)) ctx.report.add('chain-in-use', place, { chain: chain.name });
    else table.chains.delete(chain.name);
  }
}

function isUsed(name: string, table: TableDraft): boolean {
  return [...table.chains.values()].some((chain) => chain.rules.some((rule) => goesTo(rule, name)));
}

function goesTo({ target }: Rule, name: string): boolean {
  return (target.kind === 'jump' || target.kind === 'goto') && target.chain === name;
}

/** Rules that go to the chain follow it to its new name. */
function renameChain(word: Word, newName: Word, table: TableDraft, ctx: LineContext): void {
  const chain = chainOf(word, table, ctx);
  if (chain === undefined) return;
  const name = newName.text;
  if (chain.policy !== undefined) {
    ctx.report.add('built-in-chain', word, { chain: chain.name, action: 'renamed' });
    return;
  }
  if (table.chains.has(name)) {
    ctx.report.add('duplicate-chain', newName, { table: table.name, chain: name });
    return;
  }
  const old = chain.name;
  table.chains.delete(old);
  chain.name = name;
  table.chains.set(name, chain);
  for (const other of table.chains.values()) {
    other.rules = other.rules.map((rule) =>
      goesTo(rule, old)
        ? Object.freeze({ ...rule, target: Object.freeze({ ...rule.target, chain: name }) as Rule['target'] })
        : rule,
    );
  }
}
