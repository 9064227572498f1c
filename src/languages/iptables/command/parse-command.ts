/**
 * Reads a command line of iptables from left to right (do_parse of xshared.c): commands, what they are about, the rule,
 * and the options of matches and targets with the readers that rule files use.
 */

import type { AccountLookup } from '../../../extensions/contract.ts';
import { type Family, isTableName, type TableName } from '../../../packet/netfilter.ts';
import { protocolName } from '../../../packet/protocols.ts';
import { type Counters, type Rule, ZERO_COUNTERS } from '../../../rules/model.ts';
import { applyOption } from '../extension-options.ts';
import { createDraft, type LineContext, type RuleDraft } from '../rule-draft.ts';
import { loadProtocolMatch, readRuleOption } from '../rule-options.ts';
import { createScanner, type Scanner, type Step } from '../scanner.ts';
import type { Word } from '../words.ts';
import { BITS } from './command-bits.ts';
import { readCommand } from './command-option.ts';
import { type Reading, strictReport } from './faults.ts';
import { finishCommand } from './finish-command.ts';
import { badParameter, type Program, STATUS, Stop, tryHelp } from './stop.ts';
import type { Failed } from './table-edit.ts';

/** A command line, understood. */
export interface CommandLine {
  /** BITS of the commands; 0 for a line that is meant for the other family. */
  readonly bits: number;
  readonly table: string;
  readonly chain: string | undefined;
  /** 0: none was given. */
  readonly number: number;
  readonly newName: string | undefined;
  readonly policy: string | undefined;
  /** Letters of the options that were given; `0` is --line-numbers. */
  readonly options: ReadonlySet<string>;
  readonly verbose: number;
  /** The rules it describes, one for each pair of addresses. */
  readonly rules: readonly Rule[];
  readonly counters: Counters;
  /** The kernel would not take a rule like this. */
  readonly refusedByKernel: Failed | undefined;
  /** Seconds to wait for the lock; -1 without end; undefined: -w was not given. */
  readonly wait: number | undefined;
  /** What goes to standard error though nothing is wrong. */
  readonly notices: string;
}

export interface ParseContext {
  readonly family: Family;
  readonly program: Program;
  readonly accounts?: AccountLookup | undefined;
  /** The line comes from a restore file. */
  readonly restore: boolean;
}

/** What a line becomes while it is read. */
export interface CommandState {
  bits: number;
  table: string;
  tableSet: boolean;
  chain: string | undefined;
  number: number;
  newName: string | undefined;
  policy: string | undefined;
  verbose: number;
  wait: number | undefined;
  waitInterval: boolean;
  notices: string;
  readonly given: Set<string>;
  readonly draft: RuleDraft;
  readonly reading: Reading;
  readonly scanner: Scanner;
  readonly line: LineContext;
  readonly ctx: ParseContext;
}

/** Asked for --help or --version: the program prints and is done. */
export interface Question {
  readonly kind: 'help' | 'version' | 'not-version';
  /** Names of the matches and the target that were given before. */
  readonly extensions: readonly string[];
}

export type Parsed = { readonly kind: 'command'; readonly command: CommandLine } | Question;

/** Reads the words behind the program's name. @throws Stop at the first thing that is wrong. */
export function parseCommandLine(argv: readonly string[], ctx: ParseContext): Parsed {
  const { words, text } = asWords(argv);
  const reading: Reading = { about: '', value: '', refusedByKernel: undefined };
  const draft = createDraft(ZERO_COUNTERS);
  const report = strictReport({ name: ctx.program.name, text }, ctx.program, reading);
  const state: CommandState = {
    bits: 0,
    table: 'filter',
    tableSet: false,
    chain: undefined,
    number: 0,
    newName: undefined,
    policy: undefined,
    verbose: 0,
    wait: undefined,
    waitInterval: false,
    notices: '',
    given: new Set(),
    draft,
    reading,
    scanner: createScanner(words, draft.uses),
    ctx,
    line: {
      family: ctx.family,
      get table() {
        return tableNameOf(state.table);
      },
      accounts: ctx.accounts,
      report,
      // Whether there is such a chain is known when the table is there.
      chainKind: () => 'user',
    },
  };
  try {
    return readSteps(state);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    throw new Stop(error.status, state.notices + error.text);
  }
}

function readSteps(state: CommandState): Parsed {
  for (let step = state.scanner.next(false); step !== undefined; step = state.scanner.next(false)) {
    const result = takeStep(step, state);
    if (result === 'other-family') return { kind: 'command', command: emptyCommand(state) };
    if (result !== undefined) return result;
  }
  return { kind: 'command', command: finishCommand(state) };
}

/** A name to check rules against; a table that does not exist is refused when it is opened. */
export function tableNameOf(name: string): TableName {
  return isTableName(name) ? name : 'filter';
}

function asWords(argv: readonly string[]): { words: readonly Word[]; text: string } {
  let start = 0;
  const words = argv.map((text): Word => {
    const word = { text, start, end: start + text.length, quoted: false };
    start = word.end + 1;
    return word;
  });
  return { words, text: argv.join(' ') };
}

function emptyCommand(state: CommandState): CommandLine {
  const { table, notices } = state;
  return {
    bits: 0,
    table,
    chain: undefined,
    number: 0,
    newName: undefined,
    policy: undefined,
    options: new Set(),
    verbose: 0,
    rules: [],
    counters: ZERO_COUNTERS,
    refusedByKernel: undefined,
    wait: undefined,
    notices,
  };
}

function takeStep(step: Step, state: CommandState): Question | 'other-family' | undefined {
  const { program } = state.ctx;
  switch (step.kind) {
    case 'base':
      return takeBase(step, state);
    case 'extension':
      takeExtension(step, state);
      return undefined;
    case 'argument':
      takeArgument(step.word, state);
      return undefined;
    case 'rest':
      if (step.words.length > 0) throw badParameter(program, 'unknown arguments found on commandline');
      return undefined;
    case 'unknown':
    case 'ambiguous':
      if (loadProtocol(step.word, state)) return undefined;
      throw badParameter(program, `unknown option "${step.kind === 'unknown' ? step.name : step.word.text}"`);
    case 'unexpected-value':
      throw badParameter(program, `unknown option "${step.word.text}"`);
    case 'missing-value':
      if (loadProtocol(step.word, state)) return undefined;
      throw badParameter(program, `option "${step.word.text}" requires an argument`);
  }
}

/** An unknown option may be one of the protocol's match, which is loaded now. */
function loadProtocol(word: Word, state: CommandState): boolean {
  const { draft, line, scanner } = state;
  const { protocol } = draft.ip;
  const name = protocol === undefined ? undefined : (protocolName(protocol.value) ?? '');
  if (name === undefined || !loadProtocolMatch(name, word, draft, line)) return false;
  scanner.again();
  return true;
}

function takeArgument(word: Word, { draft, ctx: { program } }: CommandState): void {
  if (word.text !== '!') {
    throw new Stop(STATUS.parameter, `Bad argument \`${word.text}'\n${tryHelp(program)}`);
  }
  if (draft.invert !== undefined) throw badParameter(program, 'multiple consecutive ! not allowed');
  draft.invert = word;
}

function takeExtension(step: Step & { kind: 'extension' }, state: CommandState): void {
  const { draft, scanner, line, reading, ctx } = state;
  const { use, spec, word, value } = step;
  const { invert } = draft;
  draft.invert = undefined;
  const values = value === undefined ? [] : [value];
  reading.about = use.extension.name;
  reading.value = value?.text ?? '';
  if (spec.value.optionalWord === true) {
    const optional = scanner.takeArgument();
    if (optional !== undefined) values.push(optional);
  }
  if (spec.value.words === 2) {
    const second = scanner.takeArgument();
    if (second === undefined) throw badParameter(ctx.program, `--${spec.name} requires two args.`);
    values.push(second);
  }
  applyOption({ use, spec, word, values, invert }, draft.ip, line);
}

function takeBase(step: Step & { kind: 'base' }, state: CommandState): Question | 'other-family' | undefined {
  const { draft, ctx, given } = state;
  const { word, value } = step;
  const { letter } = step.option;
  const { program, family, restore } = ctx;
  if (readCommand(letter, value, state)) {
    draft.invert = undefined;
    return undefined;
  }
  const invert = draft.invert !== undefined;
  switch (letter) {
    case '4':
    case '6':
      draft.invert = undefined;
      if (letter === (family === 'ipv4' ? '4' : '6')) return undefined;
      if (restore) return 'other-family';
      throw new Stop(STATUS.parameter, tryHelp(program));
    case 'h':
      return { kind: 'help', extensions: draft.uses.map((use) => use.extension.name) };
    case 'V':
      return { kind: invert ? 'not-version' : 'version', extensions: [] };
    case 't':
      if (invert) throw badParameter(program, 'unexpected ! flag before --table');
      if (restore && state.tableSet) {
        throw badParameter(program, `The -t option cannot be used in ${program.name}.\n`);
      }
      state.table = value?.text ?? '';
      state.tableSet = true;
      return undefined;
    case 'v':
      if (state.verbose++ === 0) setOption(letter, state);
      draft.invert = undefined;
      return undefined;
    case 'n':
    case 'x':
    case '0':
      setOption(letter, state);
      return undefined;
    case 'w':
    case 'W':
      if (restore) throw badParameter(program, `You cannot use \`-${letter}' from iptables-restore`);
      takeWait(letter, value, state);
      draft.invert = undefined;
      return undefined;
    case 'M':
      draft.invert = undefined;
      return undefined;
    default:
      state.reading.about = letter;
      state.reading.value = value?.text ?? '';
      readRuleOption(letter, word, value ?? word, draft, state.scanner, state.line);
      if (letter !== 'm') given.add(letter === 'g' ? 'j' : letter);
      return undefined;
  }
}

function setOption(letter: string, { given, draft, ctx: { program } }: CommandState): void {
  if (given.has(letter)) throw badParameter(program, `multiple -${letter} flags not allowed`);
  given.add(letter);
  if (draft.invert !== undefined) throw badParameter(program, `cannot have ! before -${letter}`);
}

/** `-w`, `-w5`, `-w 5`: seconds; `-W`: obsolete microseconds. */
function takeWait(letter: 'w' | 'W', value: Word | undefined, state: CommandState): void {
  const { program } = state.ctx;
  const word = value ?? state.scanner.takeArgument();
  const number = word === undefined ? undefined : /^\s*[+-]?\d+/.exec(word.text)?.[0];
  if (letter === 'w') {
    if (word !== undefined && number === undefined) throw badParameter(program, 'wait seconds not numeric');
    state.wait = number === undefined ? -1 : Number(number);
    return;
  }
  if (word === undefined) throw badParameter(program, 'wait interval value required');
  if (number === undefined) throw badParameter(program, 'wait interval not numeric');
  if (Number(number) > 999_999) throw badParameter(program, `too long usec wait ${number} > 999999 usec`);
  state.notices += 'Ignoring deprecated --wait-interval option.\n';
  state.waitInterval = true;
}

/** Whether the command line asks for nothing but looking. */
export function onlyLooks({ bits }: CommandLine): boolean {
  return (bits & ~(BITS.list | BITS.listRules | BITS.check)) === 0;
}
