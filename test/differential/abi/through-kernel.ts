/** Rules loaded by iptables-legacy, read from the kernel and written back in the binary form. */

import { rmSync } from 'node:fs';
import { decodeTable } from '../../../src/abi/decode.ts';
import { encodeTable } from '../../../src/abi/encode.ts';
import { blobOf, countersOf, readInfo, writeCounters, writeReplace } from '../../../src/abi/messages.ts';
import { addLegacyCounters, readLegacyTable, replaceLegacyTable } from '../../../src/kernel/legacy-tables.ts';
import { withNamespace } from '../../../src/kernel/namespace.ts';
import { printRuleset } from '../../../src/languages/iptables/print.ts';
import type { Family, TableName } from '../../../src/packet/netfilter.ts';
import { run } from '../../support/command.ts';

const NAMESPACE = `ab-${process.pid}`;
const LOCK = { XTABLES_LOCKFILE: `/run/ab-${process.pid}.lock` };
const PROGRAM = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const satisfies Record<Family, string>;

export function beginAbi(): void {
  run('ip', ['netns', 'add', NAMESPACE]);
}

export function endAbi(): void {
  run('ip', ['netns', 'del', NAMESPACE]);
  rmSync(LOCK.XTABLES_LOCKFILE, { force: true });
}

function inNamespace(program: string, args: readonly string[], input = ''): string {
  return run('ip', ['netns', 'exec', NAMESPACE, program, ...args], input, LOCK);
}

function save(family: Family, table: TableName): string {
  return withoutRemarks(inNamespace(`${PROGRAM[family]}-save`, ['-c', '-t', table]));
}

function withoutRemarks(text: string): string {
  return text.replace(/^#.*\n/gm, '');
}

export type AbiResult =
  | { readonly kind: 'refused' }
  | { readonly kind: 'same' }
  | { readonly kind: 'wrong'; readonly why: string };

/** What the installed iptables 1.8.9 does not print (an inverted range of everything) or prints as something else. */
function asPrinted(text: string): string {
  return text
    .replace(/ ! --(?!length|mss)\S+ 0:(65535|4294967295|255)(?= |$)/gm, '')
    .replace(/ ! -[io] \+/g, '')
    .replace(/--icmp-type 255\/255/g, '--icmp-type any');
}

/** Restore text of one table through the kernel: what we read equals what iptables-save prints, and so does what we write. */
export function throughKernel(text: string, family: Family, table: TableName): AbiResult {
  const restore = (input: string): void => void inNamespace(`${PROGRAM[family]}-restore`, ['-c'], input);
  try {
    restore(text);
  } catch {
    return { kind: 'refused' };
  }
  try {
    const wanted = save(family, table);
    const blob = read(family, table);
    const decoded = decodeTable(blob, family);
    if ('problem' in decoded)
      return { kind: 'wrong', why: `not read: ${decoded.problem.diagnostic.message}\n${wanted}` };
    const printed = printRuleset({ family, tables: [decoded.table] }, { counters: true });
    if (asPrinted(printed) !== wanted) return { kind: 'wrong', why: `read as\n${printed}instead of\n${wanted}` };
    const encoded = encodeTable(decoded.table, family);
    if ('problem' in encoded) return { kind: 'wrong', why: `not written: ${encoded.problem.diagnostic.message}` };
    empty(family, table);
    withNamespace(NAMESPACE, () => {
      const old = readInfo(readLegacyTable(family, table).info).numEntries;
      replaceLegacyTable(family, writeReplace(encoded.blob, old));
      addLegacyCounters(family, writeCounters(table, countersOf(encoded.blob, family)));
    });
    const again = save(family, table);
    return again === wanted ? { kind: 'same' } : { kind: 'wrong', why: `written as\n${again}instead of\n${wanted}` };
  } catch (error) {
    return { kind: 'wrong', why: String(error) };
  } finally {
    empty(family, table);
  }
}

function read(family: Family, table: TableName) {
  const { info, entries } = withNamespace(NAMESPACE, () => readLegacyTable(family, table));
  return blobOf(readInfo(info), entries);
}

function empty(family: Family, table: TableName): void {
  const args = ['-t', table];
  inNamespace('sh', ['-c', `${PROGRAM[family]} ${args.join(' ')} -F && ${PROGRAM[family]} ${args.join(' ')} -X`]);
}
