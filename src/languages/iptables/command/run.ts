/** Carrying out one command on a rule set in memory: what it prints, its status, and the rule set it leaves. */

import type { AccountLookup } from '../../../extensions/contract.ts';
import type { NameLookup } from '../../../extensions/listing/saved.ts';
import { type Family, isTableName } from '../../../packet/netfilter.ts';
import type { Rule, Ruleset, Table } from '../../../rules/model.ts';
import { BITS, RULE_COMMANDS } from './command-bits.ts';
import { helpText } from './help.ts';
import { changeRefusal } from './kernel-check.ts';
import { announcedRule, listTable } from './list.ts';
import { listRules } from './list-rules.ts';
import { type CommandLine, parseCommandLine } from './parse-command.ts';
import { badParameter, type Program, problem, STATUS, Stop } from './stop.ts';
import type { Failed, TableEdit } from './table-edit.ts';
import * as tables from './table-edit.ts';

/** What a command works on. */
export interface CommandWorld {
  readonly family: Family;
  readonly program: Program;
  readonly accounts?: AccountLookup | undefined;
  readonly names?: NameLookup | undefined;
}

/** What came of a command. `ruleset` is present exactly when it changed something. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ruleset?: Ruleset;
}

/** Reads a command line; a result means that there is nothing more to do. */
export function readCommandLine(argv: readonly string[], world: CommandWorld): CommandLine | CommandResult {
  const { program, family } = world;
  try {
    const parsed = parseCommandLine(argv, { family, program, accounts: world.accounts, restore: false });
    switch (parsed.kind) {
      case 'command':
        return parsed.command;
      case 'help':
        return { status: STATUS.done, stdout: helpText(program, family, parsed.extensions), stderr: '' };
      case 'version':
        return { status: STATUS.done, stdout: `${program.name} v${program.version}\n`, stderr: '' };
      case 'not-version':
        return { status: STATUS.done, stdout: `Not ${program.version} ;-)\n`, stderr: '' };
    }
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { status: error.status, stdout: '', stderr: error.text };
  }
}

export function isResult(value: CommandLine | CommandResult): value is CommandResult {
  return 'status' in value;
}

/** Carries out a command on `ruleset` (undefined: nothing is there yet). */
export function runCommandLine(command: CommandLine, ruleset: Ruleset | undefined, world: CommandWorld): CommandResult {
  const { program, family } = world;
  const stderr = command.notices;
  try {
    const { table } = command;
    if (!isTableName(table)) throw noTable(table, program);
    const before = ruleset?.tables.find((item) => item.name === table);
    const edit = tables.openTable(before, table, family);
    const done = carryOut(command, edit, world);
    const said = stderr + done.stderr;
    const fail = (why: Failed): CommandResult => {
      const { status, stderr: text } = failure(why, program);
      return { status, stdout: done.stdout, stderr: said + text };
    };
    if (done.failed !== undefined) return fail(done.failed);
    if (!edit.changed) return { status: STATUS.done, stdout: done.stdout, stderr: said };
    const after = tables.closeTable(edit);
    const refused = command.refusedByKernel ?? changeRefusal(before, after, family);
    if (refused !== undefined) return fail(refused);
    return { status: STATUS.done, stdout: done.stdout, stderr: said, ruleset: withTable(ruleset, after, family) };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { status: error.status, stdout: '', stderr: stderr + error.text };
  }
}

/** iptables' complaint about a table that the kernel does not have. */
export function noTable(table: string, program: Program): Stop {
  const tool = program.name.replace(/-.*/, '');
  return problem(
    program,
    STATUS.version,
    `can't initialize ${tool} table \`${table}': Table does not exist (do you need to insmod?)`,
  );
}

/** How the program says that an operation failed. */
export function failure({ failed, invalid }: Failed, { name }: Program): CommandResult {
  const hint = invalid === true ? " Run `dmesg' for more information." : '';
  return { status: STATUS.other, stdout: '', stderr: `${name}: ${failed}.${hint}\n` };
}

/** The rule set with this table in place of the one of its name, or behind the others. */
export function withTable(ruleset: Ruleset | undefined, table: Table, family: Family): Ruleset {
  const others = ruleset?.tables ?? [];
  const known = others.some((item) => item.name === table.name);
  const all = known ? others.map((item) => (item.name === table.name ? table : item)) : [...others, table];
  return Object.freeze({ family, tables: Object.freeze(all) });
}

export interface Done {
  readonly stdout: string;
  readonly stderr: string;
  readonly failed?: Failed;
}

/** Does what the command says to the table. @throws Stop where iptables would exit. */
export function carryOut(command: CommandLine, edit: TableEdit, world: CommandWorld): Done {
  const { bits, chain, options } = command;
  const verbose = options.has('v');
  let stdout = '';
  const resolved = (bits & RULE_COMMANDS) === 0 ? { rules: [], stderr: '' } : resolveTargets(command, edit, world);
  const { stderr } = resolved;
  const end = (failed: Failed | undefined): Done =>
    failed === undefined ? { stdout, stderr } : { stdout, stderr, failed };

  const each = (operation: (rule: Rule) => Failed | undefined): Done => {
    let failed: Failed | undefined;
    for (const rule of resolved.rules) {
      if (verbose) stdout += announcedRule(rule, world.family, edit.draft.name);
      failed = operation(rule) ?? failed;
    }
    return end(failed);
  };
  switch (bits) {
    case BITS.append:
      return each((rule) => tables.appendRule(edit, chain, rule));
    case BITS.insert:
      return each((rule) => tables.insertRule(edit, chain, command.number, rule));
    case BITS.replace:
      return each((rule) => tables.replaceRule(edit, chain, command.number, rule));
    case BITS.delete:
    case BITS.check:
      return each((rule) => tables.deleteRule(edit, chain, rule, bits === BITS.check));
    case BITS.deleteNumber:
      return end(tables.deleteNumber(edit, chain, command.number));
    case BITS.flush:
      if (verbose) stdout += said(edit, chain, 'Flushing');
      return end(tables.flushChains(edit, chain));
    case BITS.newChain:
      return end(tables.createChain(edit, chain ?? ''));
    case BITS.deleteChain: {
      const names =
        chain === undefined ? tables.orderedChains(edit).filter((name) => !tables.isBuiltIn(edit, name)) : [chain];
      let failed: Failed | undefined;
      for (const name of names) {
        if (verbose) stdout += `Deleting chain \`${name}'\n`;
        failed = tables.deleteChain(edit, name) ?? failed;
      }
      return end(failed);
    }
    case BITS.policy:
      return end(
        tables.setPolicy(edit, chain ?? '', command.policy ?? '', options.has('c') ? command.counters : undefined),
      );
    case BITS.rename:
      return end(tables.renameChain(edit, chain ?? '', command.newName ?? ''));
    case BITS.zeroNumber:
      return end(tables.zeroRule(edit, chain, command.number));
    case BITS.zero:
      if (verbose) stdout += said(edit, chain, 'Zeroing');
      return end(tables.zeroChains(edit, chain));
    case 0:
      return end(undefined);
    default:
      return listAndZero(command, edit, world);
  }
}

function said(edit: TableEdit, chain: string | undefined, what: string): string {
  const names = chain === undefined ? tables.orderedChains(edit) : [chain];
  return names.map((name) => `${what} chain \`${name}'\n`).join('');
}

/** -L or -S, and -Z beside it. */
function listAndZero(command: CommandLine, edit: TableEdit, world: CommandWorld): Done {
  const { bits, chain, number, options } = command;
  const table = tables.closeTable(edit);
  const verbose = options.has('v');
  const format = {
    numeric: options.has('n'),
    verbose,
    exact: options.has('x'),
    lineNumbers: options.has('0'),
    names: world.names,
  };
  const text =
    (bits & BITS.list) !== 0
      ? listTable(table, world.family, format, chain, number)
      : listRules(table, world.family, verbose, chain, number);
  if (text === undefined) return { stdout: '', stderr: '', failed: tables.NO_CHAIN };
  let stdout = text;
  let failed: Failed | undefined;
  if ((bits & BITS.zero) !== 0) {
    if (verbose) stdout += said(edit, chain, 'Zeroing');
    failed = tables.zeroChains(edit, chain);
  }
  if ((bits & BITS.zeroNumber) !== 0) failed = tables.zeroRule(edit, chain, number);
  return failed === undefined ? { stdout, stderr: '' } : { stdout, stderr: '', failed };
}

/** What the rules' targets are in this table: a chain wins over a target of its name, and anything else must be one. */
function resolveTargets(
  { rules }: CommandLine,
  edit: TableEdit,
  { program }: CommandWorld,
): { readonly rules: readonly Rule[]; readonly stderr: string } {
  const [first] = rules;
  if (first === undefined) return { rules, stderr: '' };
  const { target } = first;
  switch (target.kind) {
    case 'none':
    case 'verdict':
      return { rules, stderr: '' };
    case 'jump':
    case 'goto':
      if (tables.hasChain(edit, target.chain)) return { rules, stderr: '' };
      throw badParameter(
        program,
        target.kind === 'goto'
          ? `goto '${target.chain}' is not a chain`
          : `Couldn't load target \`${target.chain}':No such file or directory\n`,
      );
    case 'extension': {
      if (!tables.hasChain(edit, target.name)) return { rules, stderr: '' };
      const jump = Object.freeze({ kind: 'jump', chain: target.name } as const);
      return {
        rules: rules.map((rule) => Object.freeze({ ...rule, target: jump })),
        stderr: `Warning: using chain ${target.name}, not extension\n`,
      };
    }
  }
}
