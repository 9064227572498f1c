/** What iptables-nft keeps in nf_tables, through its own programs: its save text is the only interface that it promises. */

import { spawnSync } from 'node:child_process';
import type { Family, TableName } from '../packet/netfilter.ts';
import { emptyTableText, KernelTablesError } from './kernel-tables.ts';

const PREFIX = { ipv4: 'iptables-nft', ipv6: 'ip6tables-nft' } as const satisfies Record<Family, string>;

function run(program: string, args: readonly string[], input = ''): string | undefined {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  const options = {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    env: { ...process.env, PATH: path, LC_ALL: 'C' },
  } as const;
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
  if (status === 0) return stdout;
  throw new KernelTablesError(`${program}: ${stderr?.trim() ?? error?.message}`, {
    stderr: stderr ?? '',
    busy: false,
    missing: false,
  });
}

/** Restore text with counters of every table that iptables-nft has made; empty where it is not installed or has none. */
export function nftTables(family: Family): string {
  return run(`${PREFIX[family]}-save`, ['-c']) ?? '';
}

/** Empties tables: built-in chains only, policy ACCEPT. */
export function replaceNftTables(family: Family, tables: readonly TableName[]): void {
  run(`${PREFIX[family]}-restore`, [], tables.map(emptyTableText).join(''));
}
