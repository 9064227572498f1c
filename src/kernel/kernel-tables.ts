/**
 * Tables of the kernel's own iptables (nat, what no program can run, and what carries effects out): loaded, tested and read by the system's programs, in the
 * calling thread's network namespace. The legacy programs are preferred, because they are the same tables that Docker and
 * friends leave to the kernel; else whatever `iptables-restore` is.
 *
 * The programs take the lock that XTABLES_LOCKFILE names (default /run/xtables.lock).
 */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Family, isTableName, TABLE_HOOKS, type TableName } from '../packet/netfilter.ts';

/** How long a program waits for the xtables lock. */
const LOCK_SECONDS = 10;
const PREFIX = { ipv4: 'iptables', ipv6: 'ip6tables' } as const satisfies Record<Family, string>;
/** Tables of the legacy kind that exist in a namespace. */
const TABLE_NAMES = {
  ipv4: '/proc/thread-self/net/ip_tables_names',
  ipv6: '/proc/thread-self/net/ip6_tables_names',
} as const satisfies Record<Family, string>;

/** The programs found on this system for one family. */
export interface IptablesPrograms {
  readonly restore: string;
  readonly save: string;
  /** The legacy kind (x_tables), not the one on top of nf_tables. */
  readonly legacy: boolean;
}

/** One table in restore text: `*name` to `COMMIT`. */
export interface KernelTable {
  readonly table: TableName;
  readonly text: string;
}

/** A program failed or is not there. */
export class KernelTablesError extends Error {
  override readonly name: string = 'KernelTablesError';
  /** What it wrote to its standard error. */
  readonly stderr: string;
  /** It exists but another process held the xtables lock all the time (RESOURCE_PROBLEM of iptables). */
  readonly busy: boolean;
  /** There is no such program. */
  readonly missing: boolean;

  constructor(message: string, details: { stderr: string; busy: boolean; missing: boolean }) {
    super(message);
    this.stderr = details.stderr;
    this.busy = details.busy;
    this.missing = details.missing;
  }
}

interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly missing: boolean;
}

function run(program: string, args: readonly string[], input = ''): Finished {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  const result = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    // Should the program be bpfilter itself, it must not ask the daemon: that may be this process, which waits here.
    env: { ...process.env, PATH: path, LC_ALL: 'C', BPFILTER_DAEMON: 'no' },
  });
  const why = result.error === undefined ? '' : result.error.message;
  const missing = (result.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  return { status: result.status, stdout: result.stdout ?? '', stderr: `${result.stderr ?? ''}${why}`, missing };
}

/** iptables' exit status when the lock or another resource could not be had. */
const RESOURCE_PROBLEM = 4;

function mustRun(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr, missing } = run(program, args, input);
  if (status === 0) return stdout;
  const said = stderr.trim() === '' ? `exit status ${status}` : stderr.trim();
  throw new KernelTablesError(`${program} ${args.join(' ')}: ${said}`, {
    stderr,
    missing,
    busy: status === RESOURCE_PROBLEM && /lock/i.test(stderr),
  });
}

const found = new Map<Family, IptablesPrograms>();

/** The system's programs for a family, or undefined when iptables is not installed. Looked for once. */
export function findIptables(family: Family): IptablesPrograms | undefined {
  const known = found.get(family);
  if (known !== undefined) return known;
  for (const middle of ['-legacy', '', '-nft']) {
    const programs = { restore: `${PREFIX[family]}${middle}-restore`, save: `${PREFIX[family]}${middle}-save` };
    const version = run(programs.restore, ['--version']);
    // Where bpfilter itself is what the system calls iptables, the system's own goes by its longer name.
    if (version.status !== 0 || version.stdout.includes('(bpfilter)')) continue;
    const result = Object.freeze({ ...programs, legacy: middle !== '' || !version.stdout.includes('nf_tables') });
    found.set(family, result);
    return result;
  }
  return undefined;
}

function programs(family: Family): IptablesPrograms {
  const result = findIptables(family);
  if (result !== undefined) return result;
  const name = `${PREFIX[family]}-restore`;
  throw new KernelTablesError(
    `neither ${PREFIX[family]}-legacy-restore nor ${name} is installed; what stays with the kernel is loaded by them`,
    { stderr: '', busy: false, missing: true },
  );
}

export interface RestoreOptions {
  /** Take the counters in the text (`--counters`) instead of starting at zero. */
  readonly counters?: boolean;
  /** Only see whether the text is good (`--test`). The legacy programs bring an empty table into being by it. */
  readonly test?: boolean;
}

/** Runs the restore program over `text`; a table changes as a whole or not at all. @throws KernelTablesError */
export function restoreTables(family: Family, text: string, options: RestoreOptions = {}): void {
  mustRun(
    programs(family).restore,
    [
      '-w',
      String(LOCK_SECONDS),
      ...(options.counters === true ? ['--counters'] : []),
      ...(options.test === true ? ['--test'] : []),
    ],
    text,
  );
}

/** Restore text of one table as it is now, with counters unless told otherwise; undefined when the table does not exist. */
export function saveTable(family: Family, table: TableName, options = { counters: true }): string | undefined {
  // iptables-legacy-save would bring the table into being by looking at it.
  if (programs(family).legacy && !legacyTables(family).includes(table)) return undefined;
  const args = [...(options.counters ? ['-c'] : []), '-t', table];
  const text = mustRun(programs(family).save, args);
  return text.includes(`*${table}\n`) ? text : undefined;
}

/** The tables of x_tables that exist in the calling thread's network namespace. */
export function legacyTables(family: Family): readonly TableName[] {
  try {
    return readFileSync(TABLE_NAMES[family], 'latin1').split('\n').filter(isTableName);
  } catch {
    return []; // the modules are not loaded
  }
}

/** The text that empties a table: built-in chains only, policy ACCEPT. */
export function emptyTableText(table: TableName): string {
  const chains = TABLE_HOOKS[table].hooks.map((hook) => `:${hook} ACCEPT [0:0]`);
  return [`*${table}`, ...chains, 'COMMIT', ''].join('\n');
}

/**
 * Loads several tables, each in one step. When one is refused, those already loaded are put back as they were, counters
 * included, and the refusal is thrown.
 * @returns a function that puts everything back as it was before, for a caller whose own next step failed.
 */
export function replaceTables(
  family: Family,
  tables: readonly KernelTable[],
  options: { readonly counters?: boolean } = {},
): () => void {
  const before = tables.map(({ table }) => ({ table, text: saveTable(family, table) ?? emptyTableText(table) }));
  const undo = (count: number): void => {
    for (const { text } of before.slice(0, count)) restoreTables(family, text, { counters: true });
  };
  tables.forEach(({ text }, index) => {
    try {
      restoreTables(family, text, options);
    } catch (error) {
      try {
        undo(index);
      } catch (second) {
        throw new AggregateError(
          [error, second],
          `${String(error)}; and the tables before it could not be put back: ${String(second)}`,
        );
      }
      throw error;
    }
  });
  return () => undo(before.length);
}
