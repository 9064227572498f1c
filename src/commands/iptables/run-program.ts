/** Runs one of the programs of the iptables family on the rules of the current network namespace. */

import type { TablesSession } from '../../firewall/tables-session.ts';
import type { FileLock } from '../../kernel/lock.ts';
import type { RestoreOptions, RestoreResult } from '../../languages/iptables/command/restore.ts';
import {
  type CommandResult,
  type CommandWorld,
  isResult,
  readCommandLine,
  runCommandLine,
} from '../../languages/iptables/command/run.ts';
import { type Program, STATUS, Stop } from '../../languages/iptables/command/stop.ts';
import type { Ruleset } from '../../rules/model.ts';
import { accountsOf } from '../accounts.ts';
import { describeFailure } from '../failures.ts';
import { type Host, HostQuestion, ownHost } from '../host.ts';
import type { Output } from '../output.ts';
import { patiently } from '../patience.ts';
import { PROGRAM_VERSION, PROGRAMS, type ProgramName } from './programs.ts';

interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a program works. */
export interface Place {
  readonly host: Host;
  /** The tables of the namespace; absent: they are opened when they are needed. */
  readonly tables?: TablesSession | undefined;
}

/** What a program knows of itself and of where it is. */
interface Running extends CommandWorld, Place {}

const OWN_PLACE: Place = { host: ownHost };

/** Runs the program with these arguments (without its name) and resolves to the exit status. Throws only what `place.host` throws. */
export async function runProgram(
  name: ProgramName,
  argv: readonly string[],
  output: Output,
  place: Place = OWN_PLACE,
): Promise<number> {
  const { family, does } = PROGRAMS[name];
  const program: Program = { name, version: PROGRAM_VERSION };
  let done: Finished;
  try {
    done = await programs[does](argv, { family, program, accounts: accountsOf(place.host), ...place });
  } catch (error) {
    if (error instanceof HostQuestion) throw error;
    done = unexpected(error, program);
  }
  output.out(done.stdout);
  if (done.stderr !== '') output.err(done.stderr.replace(/\n$/, ''));
  return done.status;
}

const programs = { command, save, restore } as const;

async function tablesOf({ tables, host }: Place): Promise<TablesSession> {
  const { openTablesSession } = await import('../../firewall/tables-session.ts');
  return tables ?? openTablesSession({ netns: host.netns, keep: false });
}

async function command(argv: readonly string[], running: Running): Promise<Finished> {
  const line = readCommandLine(argv, running);
  if (isResult(line)) return line;
  const { BITS } = await import('../../languages/iptables/command/command-bits.ts');
  const { changeRules, currentRules } = await import('./change.ts');
  const names = line.options.has('n') || (line.bits & BITS.list) === 0 ? undefined : await namesOf(running);
  const tables = await tablesOf(running);
  const lookers = BITS.list | BITS.listRules | BITS.check;
  const counters = (line.bits & (BITS.list | BITS.listRules | BITS.zero | BITS.zeroNumber)) !== 0;
  const { family } = running;
  return locked(line.wait, line.notices, running, (waitSeconds) => {
    const world = { ...running, names };
    if ((line.bits & ~lookers) === 0) {
      const now = counters ? currentRules(tables, family) : tables.read(family)?.ruleset;
      return runCommandLine(line, now, world);
    }
    const work = (now: Ruleset | undefined): CommandResult => runCommandLine(line, now, world);
    return changeRules(tables, { family, waitSeconds, counters, work, begin: running.host.begin });
  });
}

async function namesOf({ host }: Place): Promise<CommandWorld['names']> {
  const { hostNames } = await import('./names.ts');
  return hostNames(host);
}

async function save(argv: readonly string[], running: Running): Promise<Finished> {
  const { ctime, readSaveOptions, saveText } = await import('../../languages/iptables/command/save.ts');
  const { family, program, host } = running;
  try {
    const options = readSaveOptions(argv, program);
    if (options.version) return versionOf(program);
    const tables = await tablesOf(running);
    const { currentRules } = await import('./change.ts');
    const text = saveText(currentRules(tables, family), options, family, program, ctime(host.now()));
    if (options.file === undefined) return { status: STATUS.done, stdout: text, stderr: options.notices };
    const { describe } = await import('./lock.ts');
    try {
      host.writeFile(options.file, text);
    } catch (error) {
      if (error instanceof HostQuestion) throw error;
      throw new Stop(STATUS.other, `Failed to open file, error: ${describe(error)}\n`);
    }
    return { status: STATUS.done, stdout: '', stderr: options.notices };
  } catch (error) {
    return stopped(error);
  }
}

async function restore(argv: readonly string[], running: Running): Promise<Finished> {
  const { readRestoreOptions, restoreHelp, restoreText } = await import('../../languages/iptables/command/restore.ts');
  const { program, family } = running;
  try {
    const options = readRestoreOptions(argv, program);
    if (options.shows === 'version') return versionOf(program);
    if (options.shows === 'help') return { status: STATUS.done, stdout: '', stderr: restoreHelp(program) };
    const text = await inputText(options, running.host);
    const { changeRules, currentRules } = await import('./change.ts');
    const tables = await tablesOf(running);
    return await locked(options.wait, '', running, (waitSeconds) => {
      if (options.test) return restoreText(text, options, currentRules(tables, family), running);
      const work = (now: Ruleset | undefined): RestoreResult => restoreText(text, options, now, running);
      return changeRules(tables, { family, waitSeconds, counters: false, work, begin: running.host.begin });
    });
  } catch (error) {
    return stopped(error);
  }
}

async function inputText({ file }: RestoreOptions, host: Host): Promise<string> {
  if (file === undefined) return host.readInput();
  try {
    return host.readFile(file);
  } catch (error) {
    if (error instanceof HostQuestion) throw error;
    const { describe } = await import('./lock.ts');
    throw new Stop(STATUS.other, `Can't open ${file}: ${describe(error)}\n`);
  }
}

function versionOf({ name, version }: Program): Finished {
  return { status: STATUS.done, stdout: `${name} v${version}\n`, stderr: '' };
}

/** Runs `work` under the lock of the family, and tells it how long to wait for a bpfilter that does not take it. */
async function locked<T extends Finished>(
  wait: number | undefined,
  notices: string,
  { host }: Place,
  work: (waitSeconds: number) => T,
): Promise<Finished> {
  const { takeXtablesLock, waitSeconds } = await import('./lock.ts');
  let lock: FileLock;
  try {
    lock = await takeXtablesLock(host.lockFile, wait);
  } catch (error) {
    const done = stopped(error);
    return { ...done, stderr: notices + done.stderr };
  }
  try {
    const patience = waitSeconds(wait);
    return host.shared ? await patiently(patience, work) : work(patience);
  } finally {
    lock.release();
  }
}

function stopped(error: unknown): CommandResult {
  if (!(error instanceof Stop)) throw error;
  return { status: error.status, stdout: '', stderr: error.text };
}

/** What iptables has no words for: our own, in its form. */
function unexpected(error: unknown, program: Program): Finished {
  const { message, status } = describeFailure(error);
  const exit = status === STATUS.resource ? STATUS.resource : status === STATUS.version ? STATUS.version : STATUS.other;
  return { status: exit, stdout: '', stderr: `${program.name} v${program.version}: ${message}\n` };
}
