/** What the kernel refuses when a whole table is loaded, in the words of a program that only gets an error number. */

import type { Family } from '../../../packet/netfilter.ts';
import type { Table } from '../../../rules/model.ts';
import { checkTable } from '../check-table.ts';
import { createReport } from '../report.ts';
import { type Failed, INVALID_ARGUMENT } from './table-edit.ts';

/** ELOOP or EINVAL, or undefined when the kernel takes the table. */
export function kernelRefusal(table: Table, family: Family): Failed | undefined {
  if (jumpsToBuiltIn(table)) return INVALID_ARGUMENT;
  const report = createReport({ name: 'iptables', text: '' });
  checkTable(table, family, report);
  const [first] = report.found;
  if (first === undefined) return undefined;
  return report.found.some((item) => item.code === 'jump-circle')
    ? { failed: 'Too many levels of symbolic links' }
    : INVALID_ARGUMENT;
}

/** Only chains of users can be jumped to: their heads are where the kernel looks for the end of a jump. */
function jumpsToBuiltIn({ chains }: Table): boolean {
  const builtIn = new Set(chains.flatMap(({ name, policy }) => (policy === undefined ? [] : [name])));
  return chains.some(({ rules }) =>
    rules.some(({ target }) => (target.kind === 'jump' || target.kind === 'goto') && builtIn.has(target.chain)),
  );
}
