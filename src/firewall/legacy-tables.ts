/** The kernel's own tables as rules, read and written in their binary form: no program of iptables has a part in it. */

import { decodeTable } from '../abi/decode.ts';
import { encodeTable } from '../abi/encode.ts';
import type { TableBlob } from '../abi/format.ts';
import { blobOf, countersOf, readInfo, writeCounters, writeReplace } from '../abi/messages.ts';
import { formatDiagnostic } from '../diagnostics/diagnostic.ts';
import type { XtSets } from '../extensions/layouts/layout.ts';
import { isErrno } from '../kernel/errno.ts';
import { listSets, setIndex } from '../kernel/ipset.ts';
import { legacyTables } from '../kernel/kernel-tables.ts';
import { addLegacyCounters, readLegacyTable, replaceLegacyTable } from '../kernel/legacy-tables.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { type Family, TABLE_HOOKS, type TableName } from '../packet/netfilter.ts';
import { type Counters, type Table, ZERO_COUNTERS } from '../rules/model.ts';
import { FirewallError } from './failure.ts';
import { withoutCounters } from './ruleset-counters.ts';

/** A table of the kernel as it was at one moment. */
export interface LegacyTable {
  readonly family: Family;
  readonly table: Table;
  readonly blob: TableBlob;
}

/** Sets of the calling thread's network namespace, looked up when a rule names one. */
function systemSets(): XtSets {
  let names: ReadonlyMap<number, string> | undefined;
  return {
    nameOf(index) {
      names ??= new Map(listSets().map(({ name }) => [setIndex(name), name]));
      return names.get(index);
    },
    indexOf(name) {
      try {
        return setIndex(name);
      } catch (error) {
        if (isErrno(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
  };
}

/** The tables of a family that exist, without nat. @throws FirewallError for one that cannot be said as rules */
export function readLegacyTables(family: Family): readonly LegacyTable[] {
  return legacyTables(family)
    .filter((name) => name !== 'nat')
    .map((name) => readTable(family, name));
}

/** One table, which must exist: asking would make it. @throws FirewallError */
export function readTable(family: Family, name: TableName): LegacyTable {
  const { info, entries } = readLegacyTable(family, name);
  const blob = blobOf(readInfo(info), entries);
  const decoded = decodeTable(blob, family, systemSets());
  if ('table' in decoded) return { family, table: decoded.table, blob };
  throw new FirewallError(
    'failed',
    `the kernel's ${family} table ${name} cannot be read: ${formatDiagnostic(decoded.problem.diagnostic)}`,
  );
}

/** The binary form of a table. @throws FirewallError for a rule that has none */
export function blobFor(family: Family, table: Table): TableBlob {
  const encoded = encodeTable(table, family, systemSets());
  if ('blob' in encoded) return encoded.blob;
  const why = formatDiagnostic(encoded.problem.diagnostic);
  throw new FirewallError('failed', `the ${family} table ${table.name} has no binary form: ${why}`);
}

/**
 * Puts `blob` in the place of a table, its counters at zero. `old` is what is there: if somebody has changed it meanwhile, the
 * kernel refuses.
 */
export function replaceTable(family: Family, blob: TableBlob, old: TableBlob): void {
  try {
    replaceLegacyTable(family, writeReplace(blob, old.numEntries));
  } catch (error) {
    if (!isErrno(error, 'EAGAIN')) throw error;
    throw new FirewallError('failed', `the kernel's ${family} table ${blob.name} was changed by somebody else`, {
      cause: error,
    });
  }
}

const U64 = (1n << 64n) - 1n;

/** Adds the counters of one blob less those of another with the same rules (none: all zero) to the table in the kernel. */
export function addCounters(family: Family, blob: TableBlob, less?: TableBlob): void {
  const subtracted = less === undefined ? [] : countersOf(less, family);
  const added = countersOf(blob, family).map((counters, at): Counters => {
    const { packets, bytes } = subtracted[at] ?? ZERO_COUNTERS;
    return { packets: (counters.packets - packets) & U64, bytes: (counters.bytes - bytes) & U64 };
  });
  addLegacyCounters(family, writeCounters(blob.name, added));
}

/** A table without rules. */
export function emptyTable(name: TableName): Table {
  const chains = TABLE_HOOKS[name].hooks.map(
    (hook) => ({ name: hook, policy: 'ACCEPT', counters: ZERO_COUNTERS, rules: [] }) as const,
  );
  return { name, chains };
}

/** Whether a table has rules, chains or a policy: whether it does anything. */
export function isEmpty({ chains }: Table): boolean {
  return chains.every(({ policy, rules }) => policy === 'ACCEPT' && rules.length === 0);
}

/** The same rules, whatever the counters say. */
export function sameRules(family: Family, a: Table, b: Table): boolean {
  const [one, other] = [a, b].map((table) =>
    printRuleset(withoutCounters({ family, tables: [table] }), { counters: false }),
  );
  return one === other;
}
