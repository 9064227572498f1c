/** Why a table with effects cannot run as programs. */

import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import { TABLE_HOOKS } from '../packet/netfilter.ts';
import { MAX_LIST } from '../policy/effect.ts';
import { effectConflicts, mostEffects } from '../policy/effect-paths.ts';
import type { TablePolicy } from '../policy/ir.ts';

/** Rules that ask for what an effect before them has changed, and hooks where a packet can meet too many effects. */
export function effectTrouble(policy: TablePolicy): readonly Diagnostic[] {
  if (policy.effects === undefined) return [];
  const { table } = policy;
  const conflicts = effectConflicts(policy).map(({ rule, effect }) => {
    const what = `rule ${rule.provenance.rule} of chain ${rule.provenance.chain}`;
    const why = `it asks for what target "${effect.target[0]}" has changed before it`;
    return diagnostic('not-supported-here', rule.provenance.span, { what, table, why });
  });
  const crowded = TABLE_HOOKS[table].hooks.flatMap((hook) => {
    const most = mostEffects(policy, hook);
    if (most < MAX_LIST) return [];
    const why = `a packet can meet ${most} targets that the kernel carries out; there is room for ${MAX_LIST - 1}`;
    return [diagnostic('not-supported-here', undefined, { what: `chain ${hook}`, table, why })];
  });
  return [...conflicts, ...crowded];
}
