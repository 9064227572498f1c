/**
 * Reads the text that iptables-restore reads: tables, chains and rules, line by line, as it does. Everything that is
 * wrong in the text is reported, each fault with its place; the rule set is there only if there is none.
 *
 * Where iptables-restore is careless this parser is not: counters must be counters, quotes must be closed, host names are
 * not resolved, and a lone carriage return is named as what it is.
 */

import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import type { SourceText } from '../../diagnostics/source.ts';
import type { AccountLookup } from '../../extensions/contract.ts';
import { type Family, isTableName, TABLES } from '../../packet/netfilter.ts';
import type { Counters, Rule, Ruleset, Table } from '../../rules/model.ts';
import { applyCommand, declareChain, setPolicy } from './apply-command.ts';
import { chainNameProblem } from './chain-name.ts';
import { checkTable } from './check-table.ts';
import type { Command } from './command.ts';
import { parseBracketCounters } from './counters.ts';
import { quickReaderOf } from './quick/quick-table.ts';
import type { QuickReader } from './quick/reader.ts';
import { createReport, type Place, type Report } from './report.ts';
import type { LineContext } from './rule-draft.ts';
import { readRuleLine } from './rule-line.ts';
import { createTable, freezeTable, type TableDraft } from './table-draft.ts';
import { splitWords, utf8Length, type Word } from './words.ts';

export interface ParseOptions {
  /** How to look up the users and groups of `-m owner`; without it only numbers and root are known. */
  readonly accounts?: AccountLookup;
  /** Every line by the reader of everything: the reference for the quick one. */
  readonly thorough?: boolean;
}

export interface ParseResult {
  /** Present exactly when no diagnostic is an error. Holds all tables of the text. */
  readonly ruleset?: Ruleset;
  /** What could be read of a text with errors: to look for further faults in it, never to run it. */
  readonly readable?: Ruleset;
  /** In the order of their places. */
  readonly diagnostics: readonly Diagnostic[];
}

/** What a line is read into. */
interface FileState {
  readonly family: Family;
  readonly accounts: AccountLookup | undefined;
  readonly thorough: boolean;
  readonly source: SourceText;
  readonly report: Report;
  /** Finished tables in the order of their first appearance. */
  readonly tables: Map<string, Table>;
  open: OpenTable | undefined;
  /** Where the next NUL character stands; behind the text if there is none. */
  nextNul: number;
}

interface OpenTable {
  /** Undefined when the table is unknown: its lines are passed over. */
  readonly draft: TableDraft | undefined;
  readonly ctx: LineContext | undefined;
  readonly name: string;
  readonly place: Place;
  readonly quick: QuickReader | undefined;
}

/** Reads a whole file of one family. Never throws, whatever the text. */
export function parseRuleset(source: SourceText, family: Family, options: ParseOptions = {}): ParseResult {
  const report = createReport(source);
  const state: FileState = {
    family,
    accounts: options.accounts,
    thorough: options.thorough === true,
    source,
    report,
    tables: new Map(),
    open: undefined,
    nextNul: findNul(source.text, 0),
  };
  const { text } = source;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    if (end > start) readLine(text, { start, end }, newline !== -1, state);
    start = end + 1;
  }
  if (state.open !== undefined) report.add('missing-commit', state.open.place, { table: state.open.name });
  const diagnostics = Object.freeze([...report.found].sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0)));
  const ruleset = Object.freeze({ family, tables: Object.freeze([...state.tables.values()]) });
  if (diagnostics.some((item) => item.severity === 'error')) return { readable: ruleset, diagnostics };
  return { ruleset, diagnostics };
}

/** iptables-restore reads lines into a buffer of 10,240 bytes, its line end and a NUL included. */
const LINE_MAX = 10_238;

function readLine(text: string, line: Place, ended: boolean, state: FileState): void {
  const { report, open } = state;
  const first = text[line.start];
  const length = byteLength(text, line);
  if (length > LINE_MAX) {
    report.add('line-too-long', line, { length, limit: LINE_MAX });
    return;
  }
  if (first === '#') return;
  if (state.nextNul < line.end) {
    const nul = state.nextNul;
    state.nextNul = findNul(text, line.end);
    report.add('bad-character', { start: nul, end: nul + 1 });
    return;
  }
  if (text[line.end - 1] === '\r') {
    report.add('carriage-return', { start: line.end - 1, end: line.end });
    return;
  }
  if (open === undefined) {
    if (first === '*') openTable(text, line, state);
    else report.add('outside-table', line);
    return;
  }
  if (line.end - line.start === COMMIT.length && text.startsWith(COMMIT, line.start)) {
    if (!ended) report.add('missing-line-end', line);
    if (open.draft !== undefined) closeTable(open.draft, state);
    state.open = undefined;
    return;
  }
  const { draft, ctx, quick } = open;
  if (draft === undefined || ctx === undefined) return;
  if (first === ':') {
    quick?.forget();
    readChainLine(text, line, draft, ctx);
  } else if (quick?.take(line.start, line.end) !== true) {
    const command = readCommandLine(text, line, ctx);
    if (command === undefined) return;
    if (command.kind !== 'append') quick?.forget();
    applyCommand(command, draft, ctx);
    const chain = command.kind === 'append' ? draft.chains.get(command.chain.text) : undefined;
    if (chain !== undefined && command.kind === 'append' && command.rules.length === 1)
      quick?.learn(chain, command.rules[0]!);
  }
}

const COMMIT = 'COMMIT';

function findNul(text: string, from: number): number {
  const at = text.indexOf('\0', from);
  return at === -1 ? text.length : at;
}

/** The kernel looks at the whole table now. A table that comes again in the file replaces the earlier one. */
function closeTable(draft: TableDraft, state: FileState): void {
  const table = freezeTable(draft);
  checkTable(table, state.family, state.report);
  state.tables.set(draft.name, table);
}

function byteLength(text: string, { start, end }: Place): number {
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  if ((end - start) * 3 <= LINE_MAX) return end - start;
  return utf8Length(text.slice(start, end));
}

/** `*TABLE`; what follows the name is not looked at, as with strtok. */
function openTable(text: string, line: Place, state: FileState): void {
  const [name = ''] = strtok(text, line);
  const place = name === '' ? line : name;
  const word = name === '' ? '' : name.text;
  if (!isTableName(word)) {
    state.report.add('unknown-table', place, { table: word, known: TABLES.join(', ') });
    state.open = { draft: undefined, ctx: undefined, name: word, place: line, quick: undefined };
    return;
  }
  const draft = createTable(word, state.report.span(line), state.tables.get(word));
  const { source, family, accounts, report } = state;
  const ctx = lineContext(family, draft, accounts, report);
  const quick = state.thorough
    ? undefined
    : quickReaderOf(source, family, word, lineReader(source, family, draft, accounts));
  state.open = { draft, ctx, name: word, place: line, quick };
}

function lineContext(
  family: Family,
  draft: TableDraft,
  accounts: AccountLookup | undefined,
  report: Report,
): LineContext {
  return {
    family,
    table: draft.name,
    accounts,
    report,
    chainKind: (chain) => {
      const found = draft.chains.get(chain);
      return found === undefined ? undefined : found.policy === undefined ? 'user' : 'built-in';
    },
  };
}

/** Makes the rule of a line `-A CHAIN ...` of the table, which is known to be one. */
export function lineReader(
  source: SourceText,
  family: Family,
  draft: TableDraft,
  accounts: AccountLookup | undefined,
): (start: number, end: number) => Rule {
  return (start, end) => {
    const ctx = lineContext(family, draft, accounts, createReport(source));
    const command = readCommandLine(source.text, { start, end }, ctx);
    if (command?.kind !== 'append' || command.rules.length !== 1) throw new Error('a line that was a rule is none now');
    return command.rules[0]!;
  };
}

/** The words of a `*` or `:` line behind its first character: no quoting there. */
function strtok(text: string, line: Place): readonly Word[] {
  const words: Word[] = [];
  const pattern = /[^ \t]+/g;
  pattern.lastIndex = line.start + 1;
  for (let found = pattern.exec(text); found !== null && found.index < line.end; found = pattern.exec(text)) {
    const end = Math.min(line.end, found.index + found[0].length);
    words.push({ text: text.slice(found.index, end), start: found.index, end, quoted: false });
    if (end === line.end) break;
  }
  return words;
}

/** `:CHAIN POLICY [packets:bytes]`; a user chain has `-` for its policy and its counters mean nothing. */
function readChainLine(text: string, line: Place, draft: TableDraft, ctx: LineContext): void {
  const { report } = ctx;
  const [name, policy, bracket] = strtok(text, line);
  if (name === undefined) {
    report.add('bad-chain-name', line, { chain: '', why: 'it is empty' });
    return;
  }
  const known = draft.chains.get(name.text);
  if (known?.policy === undefined) {
    const why = chainNameProblem(name.text, ctx.family, false);
    if (why !== undefined) {
      report.add('bad-chain-name', name, { chain: name.text, why });
      return;
    }
    declareChain(name.text, name, draft, ctx);
  } else {
    known.span = report.span(name);
  }
  if (policy === undefined) {
    report.add('missing-policy', name, { chain: name.text });
    return;
  }
  if (policy.text === '-') return;
  setPolicy(name, policy, draft, ctx);
  if (bracket === undefined) return;
  const counters = parseBracketCounters(bracket.text);
  if (counters === undefined) report.add('bad-counters', bracket, { text: bracket.text });
  else if (known !== undefined) known.counters = counters;
}

/** MAX_ARGC of xshared.h, less the program, `-t`, the table and the end. */
const WORDS_MAX = 250;
/** xt_param_buf holds 1,024 bytes with its end. */
const WORD_MAX = 1022;

/** `[packets:bytes] -A CHAIN ...` and the other commands; undefined: reported, or not meant for this family. */
function readCommandLine(text: string, line: Place, ctx: LineContext): Command | undefined {
  const { report } = ctx;
  let { start } = line;
  let counters: Counters | undefined;
  if (text[start] === '[') {
    const close = text.indexOf(']', start);
    const end = close === -1 || close >= line.end ? line.end : close + 1;
    const bracket = text.slice(start, end);
    counters = parseBracketCounters(bracket);
    if (counters === undefined) {
      report.add('bad-counters', { start, end }, { text: bracket });
      return undefined;
    }
    start = end;
  }
  const { words, unclosed } = splitWords(text, start, line.end);
  if (unclosed !== undefined) {
    report.add('unclosed-quote', { start: unclosed, end: unclosed + 1 });
    return undefined;
  }
  if (words.length > WORDS_MAX) {
    report.add('too-many-words', line, { count: words.length, limit: WORDS_MAX });
    return undefined;
  }
  const long = words.find((word) => word.text.length * 3 > WORD_MAX && utf8Length(word.text) > WORD_MAX);
  if (long !== undefined) {
    report.add('word-too-long', long, { length: utf8Length(long.text), limit: WORD_MAX });
    return undefined;
  }
  return readRuleLine(words, line, counters, ctx);
}
