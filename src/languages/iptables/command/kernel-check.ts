/** What the kernel refuses when a whole table is loaded, in the words of a program that only gets an error number. */

import type { Family } from '../../../packet/netfilter.ts';
import type { Table } from '../../../rules/model.ts';
import { checkTable } from '../check-table.ts';
import { createReport } from '../report.ts';
import type { Failed } from './table-edit.ts';

/** ELOOP or EINVAL, or undefined when the kernel takes the table. */
export function kernelRefusal(table: Table, family: Family): Failed | undefined {
  const report = createReport({ name: 'iptables', text: '' });
  checkTable(table, family, report);
  const [first] = report.found;
  if (first === undefined) return undefined;
  return report.found.some((item) => item.code === 'jump-circle')
    ? { failed: 'Too many levels of symbolic links' }
    : { failed: 'Invalid argument', invalid: true };
}
