/** Why a table with questions that are asked on the way cannot run as programs. */

import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import { TABLE_HOOKS } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import { MAX_STAGED, MAX_STAGES, mostStaged } from '../policy/staged.ts';

/** Hooks where a packet can meet too many questions, and too many of them altogether. */
export function stagedTrouble(policy: TablePolicy): readonly Diagnostic[] {
  const { table, staged = [] } = policy;
  if (staged.length === 0) return [];
  if (staged.length > MAX_STAGED) {
    const why = `its rules ask the kernel ${staged.length} questions on the way; there is room for ${MAX_STAGED}`;
    return [diagnostic('not-supported-here', undefined, { what: 'questions to the kernel', table, why })];
  }
  return TABLE_HOOKS[table].hooks.flatMap((hook) => {
    const most = mostStaged(policy, hook);
    if (most <= MAX_STAGES) return [];
    const why = `a packet can meet ${most} matches that only the kernel can evaluate; there is room for ${MAX_STAGES}`;
    return [diagnostic('not-supported-here', undefined, { what: `chain ${hook}`, table, why })];
  });
}
