/** Runs one of the programs of the iptables family on the rules of the current network namespace. */

import { readFileSync, writeFileSync } from 'node:fs';
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
import { hostAccounts } from '../accounts.ts';
import { describeFailure } from '../failures.ts';
import type { Output } from '../output.ts';
import { PROGRAM_VERSION, PROGRAMS, type ProgramName } from './programs.ts';

interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program with these arguments (without its name) and resolves to the exit status. Never throws. */
export async function runProgram(name: ProgramName, argv: readonly string[], output: Output): Promise<number> {
  const { family, does } = PROGRAMS[name];
  const program: Program = { name, version: PROGRAM_VERSION };
  const world: CommandWorld = { family, program, accounts: hostAccounts };
  let done: Finished;
  try {
    done = await programs[does](argv, world);
  } catch (error) {
    done = unexpected(error, program);
  }
  output.out(done.stdout);
  if (done.stderr !== '') output.err(done.stderr.replace(/\n$/, ''));
  return done.status;
}

const programs = { command, save, restore } as const;

async function command(argv: readonly string[], world: CommandWorld): Promise<Finished> {
  const line = readCommandLine(argv, world);
  if (isResult(line)) return line;
  const { BITS } = await import('../../languages/iptables/command/command-bits.ts');
  const { changeRules, currentRules } = await import('./change.ts');
  const names = line.options.has('n') || (line.bits & BITS.list) === 0 ? undefined : await names4();
  const { openTablesSession } = await import('../../firewall/tables-session.ts');
  const lookers = BITS.list | BITS.listRules | BITS.check;
  const counters = (line.bits & (BITS.list | BITS.listRules | BITS.zero | BITS.zeroNumber)) !== 0;
  return locked(line.wait, line.notices, () => {
    const inWorld = { ...world, names };
    const tables = openTablesSession({ keep: false });
    if ((line.bits & ~lookers) === 0) return runCommandLine(line, currentRules(tables, world.family), inWorld);
    const work = (now: Ruleset | undefined): CommandResult => runCommandLine(line, now, inWorld);
    return changeRules(tables, { family: world.family, waitSeconds: seconds(line.wait), counters, work });
  });
}

async function names4(): Promise<CommandWorld['names']> {
  const { hostNames } = await import('./names.ts');
  return hostNames();
}

async function save(argv: readonly string[], { family, program }: CommandWorld): Promise<Finished> {
  const { ctime, readSaveOptions, saveText } = await import('../../languages/iptables/command/save.ts');
  try {
    const options = readSaveOptions(argv, program);
    if (options.version) return versionOf(program);
    const { currentRules } = await import('./change.ts');
    const { openTablesSession } = await import('../../firewall/tables-session.ts');
    const text = saveText(
      currentRules(openTablesSession({ keep: false }), family),
      options,
      family,
      program,
      ctime(new Date()),
    );
    if (options.file === undefined) return { status: STATUS.done, stdout: text, stderr: options.notices };
    const { describe } = await import('./lock.ts');
    try {
      writeFileSync(options.file, text);
    } catch (error) {
      throw new Stop(STATUS.other, `Failed to open file, error: ${describe(error)}\n`);
    }
    return { status: STATUS.done, stdout: '', stderr: options.notices };
  } catch (error) {
    return stopped(error);
  }
}

async function restore(argv: readonly string[], world: CommandWorld): Promise<Finished> {
  const { readRestoreOptions, restoreHelp, restoreText } = await import('../../languages/iptables/command/restore.ts');
  try {
    const options = readRestoreOptions(argv, world.program);
    if (options.shows === 'version') return versionOf(world.program);
    if (options.shows === 'help') return { status: STATUS.done, stdout: '', stderr: restoreHelp(world.program) };
    const text = await inputText(options);
    const { changeRules, currentRules } = await import('./change.ts');
    const { openTablesSession } = await import('../../firewall/tables-session.ts');
    return await locked(options.wait, '', () => {
      const tables = openTablesSession({ keep: false });
      if (options.test) return restoreText(text, options, currentRules(tables, world.family), world);
      const work = (now: Ruleset | undefined): RestoreResult => restoreText(text, options, now, world);
      const { family } = world;
      return changeRules(tables, { family, waitSeconds: seconds(options.wait), counters: false, work });
    });
  } catch (error) {
    return stopped(error);
  }
}

async function inputText({ file }: RestoreOptions): Promise<string> {
  if (file === undefined) return readFileSync(0, 'utf8');
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { describe } = await import('./lock.ts');
    throw new Stop(STATUS.other, `Can't open ${file}: ${describe(error)}\n`);
  }
}

function versionOf({ name, version }: Program): Finished {
  return { status: STATUS.done, stdout: `${name} v${version}\n`, stderr: '' };
}

/** Runs `work` under the lock of the family. */
async function locked<T extends Finished>(wait: number | undefined, notices: string, work: () => T): Promise<Finished> {
  const { takeXtablesLock } = await import('./lock.ts');
  let lock: FileLock;
  try {
    lock = takeXtablesLock(wait);
  } catch (error) {
    const done = stopped(error);
    return { ...done, stderr: notices + done.stderr };
  }
  try {
    return work();
  } finally {
    lock.release();
  }
}

/** How long to wait for a bpfilter that does not take the family's lock. */
function seconds(wait: number | undefined): number {
  if (wait === undefined) return 5;
  return wait <= 0 ? 86_400 : wait;
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
