/**
 * iptables-restore: the options, and reading a file line by line as it does. Each COMMIT hands a table over; what came
 * before a fault was handed over already.
 */

import type { SourceText } from '../../../diagnostics/source.ts';
import { isTableName } from '../../../packet/netfilter.ts';
import type { Counters, Ruleset, Table } from '../../../rules/model.ts';
import { ZERO_COUNTERS } from '../../../rules/model.ts';
import { lineReader } from '../parse.ts';
import { quickReaderOf } from '../quick/quick-table.ts';
import type { QuickReader } from '../quick/reader.ts';
import type { Place } from '../report.ts';
import { splitWords, utf8Length } from '../words.ts';
import { BITS } from './command-bits.ts';
import { kernelRefusal } from './kernel-check.ts';
import { type CommandLine, parseCommandLine } from './parse-command.ts';
import { readOptions } from './plain-options.ts';
import { type CommandWorld, carryOut, type Done, withTable } from './run.ts';
import { badParameter, type Program, problem, STATUS, Stop } from './stop.ts';
import type { TableEdit } from './table-edit.ts';
import * as tables from './table-edit.ts';

export interface RestoreOptions {
  readonly counters: boolean;
  readonly verbose: number;
  readonly test: boolean;
  readonly noFlush: boolean;
  readonly table: string | undefined;
  readonly wait: number | undefined;
  readonly file: string | undefined;
  /** Asked for instead of reading anything. */
  readonly shows: 'version' | 'help' | undefined;
  readonly notices: string;
}

const OPTIONS = [
  { long: 'counters', letter: 'c', argument: 'none' },
  { long: 'verbose', letter: 'v', argument: 'none' },
  { long: 'version', letter: 'V', argument: 'none' },
  { long: 'test', letter: 't', argument: 'none' },
  { long: 'help', letter: 'h', argument: 'none' },
  { long: 'noflush', letter: 'n', argument: 'none' },
  { long: 'modprobe', letter: 'M', argument: 'required' },
  { long: 'table', letter: 'T', argument: 'required' },
  { long: 'wait', letter: 'w', argument: 'optional' },
  { long: 'wait-interval', letter: 'W', argument: 'optional' },
  { long: undefined, letter: 'b', argument: 'none' },
] as const;

/** @throws Stop */
export function readRestoreOptions(argv: readonly string[], program: Program): RestoreOptions {
  const { given, operands, unknown } = readOptions(argv, OPTIONS, program.name, 'wW');
  if (unknown !== undefined) {
    throw new Stop(STATUS.other, `${unknown}\nTry \`${program.name} -h' for more information.\n`);
  }
  const last = (letter: string): string | undefined => given.findLast((item) => item.letter === letter)?.value;
  const count = (letter: string): number => given.filter((item) => item.letter === letter).length;
  const shown = given.find((item) => item.letter === 'V' || item.letter === 'h')?.letter;
  const shows = shown === undefined ? undefined : shown === 'V' ? 'version' : 'help';
  const seconds = last('w');
  if (seconds !== undefined && !/^\s*[+-]?\d/.test(seconds)) throw badParameter(program, 'wait seconds not numeric');
  if (shows === undefined && operands.length > 1) {
    throw new Stop(STATUS.other, 'Unknown arguments found on commandline\n');
  }
  if (shows === undefined && count('W') > 0 && count('w') === 0) {
    throw new Stop(STATUS.other, 'Option --wait-interval requires option --wait\n');
  }
  return {
    counters: count('c') > 0,
    verbose: count('v'),
    test: count('t') > 0,
    noFlush: count('n') > 0,
    table: last('T'),
    wait: count('w') === 0 ? undefined : seconds === undefined ? -1 : Number.parseInt(seconds, 10),
    file: operands[0],
    shows,
    notices: count('W') > 0 ? 'Ignoring deprecated --wait-interval option.\n' : '',
  };
}

/** What a file comes to. */
export interface RestoreResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The rule set after the last COMMIT that was carried out; undefined: none was. */
  readonly ruleset: Ruleset | undefined;
}

/** fgets reads so many bytes at once; what is longer continues as a line of its own. */
const LINE_BYTES = 10_239;

interface Reading {
  readonly options: RestoreOptions;
  readonly world: CommandWorld;
  readonly source: SourceText;
  ruleset: Ruleset | undefined;
  committed: boolean;
  edit: TableEdit | undefined;
  /** Of the open table; not where each rule is to be announced. */
  quick: QuickReader | undefined;
  refused: boolean;
  current: string;
  stdout: string;
  stderr: string;
}

/** Reads `text` against `ruleset`, which stays as it is. */
export function restoreText(
  text: string,
  options: RestoreOptions,
  ruleset: Ruleset | undefined,
  world: CommandWorld,
): RestoreResult {
  const reading: Reading = {
    options,
    world,
    source: { name: world.program.name, text },
    ruleset,
    committed: false,
    edit: undefined,
    quick: undefined,
    refused: false,
    current: '',
    stdout: '',
    stderr: options.notices,
  };
  const end = (status: number): RestoreResult => ({
    status,
    stdout: reading.stdout,
    stderr: reading.stderr,
    ruleset: reading.committed ? reading.ruleset : undefined,
  });
  const { name } = world.program;
  let line = 0;
  try {
    for (const piece of pieces(text)) {
      line++;
      const done = reading.quick !== undefined && takeQuickly(piece, reading.quick, reading);
      if (done || takeLine(piece, line, reading)) continue;
      if (options.table !== undefined && options.table !== reading.current) continue;
      reading.stderr += `${name}: line ${line} failed\n`;
      return end(STATUS.other);
    }
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    reading.stderr += error.text;
    return end(error.status);
  }
  if (reading.edit === undefined) return end(STATUS.done);
  reading.stderr += `${name}: COMMIT expected at line ${line + 1}\n`;
  return end(STATUS.other);
}

/** The places of the lines, each with its end. */
function* pieces(text: string): Generator<Place> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline + 1;
    const short = (end - start) * 3 <= LINE_BYTES || utf8Length(text.slice(start, end)) <= LINE_BYTES;
    if (short) yield { start, end };
    else for (let at = start; at < end; at += LINE_BYTES) yield { start: at, end: Math.min(end, at + LINE_BYTES) };
    start = end;
  }
}

/** Counters that are not asked for. */
const COUNTERS = /\[\d+:\d+\] /y;

/** Reads a line that is like others before it as a row of numbers; false: nothing has happened. */
function takeQuickly({ start, end }: Place, quick: QuickReader, { source: { text }, options }: Reading): boolean {
  let from = start;
  if (!options.counters && text[start] === '[') {
    COUNTERS.lastIndex = start;
    if (COUNTERS.test(text)) from = COUNTERS.lastIndex;
  }
  return quick.take(from, text[end - 1] === '\n' ? end - 1 : end);
}

/** True: go on; false: the line failed. @throws Stop */
function takeLine(place: Place, number: number, reading: Reading): boolean {
  const { options, world } = reading;
  const line = reading.source.text.slice(place.start, place.end);
  const program: Program = { ...world.program, line: number };
  if (line === '\n') return true;
  if (line.startsWith('#')) {
    if (options.verbose > 0) reading.stdout += line;
    return true;
  }
  if (line === 'COMMIT\n' && reading.edit !== undefined) return commit(reading);
  if (line.startsWith('*') && reading.edit === undefined) return openTable(line, program, reading);
  if (reading.edit === undefined) return false;
  if (!line.startsWith(':')) return takeRule(line, program, reading.edit, reading);
  reading.quick?.forget();
  return takeChain(line, program, reading.edit, reading);
}

function strtok(line: string): readonly string[] {
  return line
    .slice(1)
    .split(/[ \t\n]+/)
    .filter((word) => word !== '');
}

function commit(reading: Reading): boolean {
  const { edit, options, world } = reading;
  reading.edit = undefined;
  reading.quick = undefined;
  if (edit === undefined || options.test) return true;
  const table: Table = tables.closeTable(edit);
  if (reading.refused || kernelRefusal(table, world.family) !== undefined) return false;
  reading.ruleset = withTable(reading.ruleset, table, world.family);
  reading.committed = true;
  return true;
}

function openTable(line: string, program: Program, reading: Reading): boolean {
  const { options, world } = reading;
  const [name] = strtok(line);
  if (name === undefined) throw badParameter(program, `${program.name}: line ${program.line} table name invalid`);
  reading.current = name;
  if (options.table !== undefined && options.table !== name) return true;
  if (!isTableName(name)) {
    throw badParameter(program, `${program.name}: unable to initialize table '${name}'\n`);
  }
  const old = reading.ruleset?.tables.find((table) => table.name === name);
  const edit = (options.noFlush ? tables.openTable : tables.openEmptied)(old, name, world.family);
  edit.changed = true;
  reading.edit = edit;
  reading.refused = false;
  if (options.verbose === 0) reading.quick = quickReader(edit, reading);
  else if (!options.noFlush) {
    const before = tables.openTable(old, name, world.family);
    const chains = tables.orderedChains(before);
    reading.stdout += chains.map((chain) => `Flushing chain \`${chain}'\n`).join('');
    const users = chains.filter((chain) => !tables.isBuiltIn(before, chain));
    reading.stdout += users.map((chain) => `Deleting chain \`${chain}'\n`).join('');
  }
  return true;
}

function quickReader({ draft, family }: TableEdit, { source, world: { accounts } }: Reading): QuickReader {
  return quickReaderOf(source, family, draft.name, lineReader(source, family, draft, accounts));
}

/** XT_EXTENSION_MAXNAMELEN - 1 */
const NAME_MAX = 28;

function takeChain(line: string, program: Program, edit: TableEdit, { options }: Reading): boolean {
  const [chain, policy, bracket] = strtok(line);
  if (chain === undefined) throw badParameter(program, `${program.name}: line ${program.line} chain name invalid`);
  if (utf8Length(chain) > NAME_MAX) {
    throw badParameter(program, `Invalid chain name \`${chain}' (${NAME_MAX} chars max)`);
  }
  if (!tables.isBuiltIn(edit, chain)) {
    if (options.noFlush && tables.hasChain(edit, chain)) tables.flushChains(edit, chain);
    else if (tables.createChain(edit, chain) !== undefined) {
      throw badParameter(program, `error creating chain '${chain}':File exists`);
    }
  }
  if (policy === undefined) throw badParameter(program, `${program.name}: line ${program.line} policy invalid`);
  if (policy === '-') return true;
  const found = /^\[\s*(\d+):\s*(\d+)/.exec(bracket ?? '');
  if (options.counters && found === null) {
    throw badParameter(program, `invalid policy counters for chain '${chain}'`);
  }
  const counters: Counters =
    options.counters && found !== null
      ? { packets: BigInt(found[1] ?? 0), bytes: BigInt(found[2] ?? 0) }
      : ZERO_COUNTERS;
  const failed = tables.setPolicy(edit, chain, policy, counters);
  if (failed === undefined) return true;
  throw problem(
    program,
    STATUS.other,
    `Can't set policy \`${policy}' on \`${chain}' line ${program.line}: ${failed.failed}`,
  );
}

function takeRule(line: string, program: Program, edit: TableEdit, reading: Reading): boolean {
  const { options, world } = reading;
  const { rest, packets, bytes } = splitCounters(line, program);
  const { words, unclosed } = splitWords(rest.replaceAll('\n', ' '), 0, rest.length);
  const whole = unclosed === undefined ? words.map((word) => word.text) : [];
  const argv = [
    '-t',
    edit.draft.name,
    ...(options.noFlush ? [] : Array.from({ length: options.verbose }, () => '-v')),
    ...(options.counters && packets !== undefined && bytes !== undefined ? ['--set-counters', packets, bytes] : []),
    ...whole,
  ];
  const { family, accounts } = world;
  const parsed = parseCommandLine(argv, { family, program, accounts, restore: true });
  if (parsed.kind !== 'command') return true;
  const { command } = parsed;
  reading.stderr += command.notices;
  if (command.refusedByKernel !== undefined) reading.refused = true;
  const done = carryOut(command, edit, { ...world, program });
  reading.stdout += done.stdout;
  reading.stderr += done.stderr;
  const [rule] = command.rules;
  const chain = edit.draft.chains.get(command.chain ?? '');
  if (command.bits !== BITS.append) reading.quick?.forget();
  else if (chain !== undefined && rule !== undefined && command.rules.length === 1 && isQuiet(command, done, edit))
    reading.quick?.learn(chain, rule);
  return done.failed === undefined;
}

/** Whether all that the command did was to add its rule. */
function isQuiet({ rules, notices, refusedByKernel }: CommandLine, done: Done, edit: TableEdit): boolean {
  if (notices !== '' || refusedByKernel !== undefined || done.failed !== undefined || done.stderr !== '') return false;
  // With a chain of that name it has become a jump.
  return !rules.some(({ target }) => target.kind === 'extension' && tables.hasChain(edit, target.name));
}

/** `[packets:bytes]` ahead of a rule (tokenize_rule_counters). */
function splitCounters(
  line: string,
  program: Program,
): { readonly rest: string; readonly packets?: string; readonly bytes?: string } {
  if (!line.startsWith('[')) return { rest: line };
  const close = line.indexOf(']');
  if (close === -1) throw badParameter(program, `Bad line ${program.line}: need ]`);
  const [packets, bytes] = line.slice(1, close).split(':');
  if (packets === undefined || packets === '') throw badParameter(program, `Bad line ${program.line}: need :`);
  if (bytes === undefined || bytes === '') throw badParameter(program, `Bad line ${program.line}: need ]`);
  return { rest: line.slice(close + 1), packets, bytes };
}

/** What --help of iptables-restore prints, to standard error. */
export function restoreHelp({ name }: Program): string {
  const options = ['counters', 'verbose', 'version', 'test', 'help', 'noflush', 'wait=<seconds>', 'table=<TABLE>'];
  const short = '[-c] [-v] [-V] [-t] [-h] [-n] [-w secs] [-W usecs] [-T table] [-M command] [file]';
  return `Usage: ${name} ${short}\n${options.map((option) => `\t   [ --${option} ]\n`).join('')}`;
}
