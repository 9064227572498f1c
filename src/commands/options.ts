/** Options that several commands share. */

import { isTableName, TABLES, type TableName } from '../packet/netfilter.ts';
import { type Invocation, UsageError } from './command.ts';

/** --netns, undefined for the current namespace. */
export function netnsOf(options: Invocation['options']): string | undefined {
  const name = options['netns'];
  if (name === '') throw new UsageError('--netns wants a name');
  return typeof name === 'string' ? name : undefined;
}

/** The namespace of --netns, else that of the process which asks. */
export function netnsFor({ options, host }: Pick<Invocation, 'options' | 'host'>): string | undefined {
  return netnsOf(options) ?? host.netns;
}

/** --table, undefined for all. Throws UsageError for a name that is no table. */
export function tableOf(options: Invocation['options']): TableName | undefined {
  const name = options['table'];
  if (typeof name !== 'string') return undefined;
  if (!isTableName(name)) throw new UsageError(`"${name}" is not a table; there are ${TABLES.join(', ')}`);
  return name;
}
