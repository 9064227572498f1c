/** The chains that a chain leads to. */

import type { Hook } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';

/** The built-in chain of a hook, as an index into the table's chains; undefined when the table has none there. */
export function baseChain(policy: TablePolicy, hook: Hook): number | undefined {
  const at = policy.chains.findIndex(({ base }) => base?.hook === hook);
  return at === -1 ? undefined : at;
}

/** `start` and every chain that its rules lead to, in order of first use. */
export function chainsFrom(policy: TablePolicy, start: number): readonly number[] {
  const seen = new Set([start]);
  for (const chain of seen)
    for (const { action } of policy.chains[chain]!.rules)
      if (action.kind === 'jump' || action.kind === 'goto') seen.add(action.chain);
  return [...seen];
}
