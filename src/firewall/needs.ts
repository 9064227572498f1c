/** What a generation needs of the system around its programs: derived from its state. */

import { FAMILIES, type Family } from '../packet/netfilter.ts';
import { type HookPoint, samePoint } from './layout.ts';
import type { GenerationState } from './state.ts';

export interface Needs {
  /** Hook points with a program, hence with a stub. */
  readonly points: readonly HookPoint[];
  /** Hook points whose program can ask for a REJECT, hence with bridge and guard. */
  readonly rejecting: readonly HookPoint[];
  /** Hook points whose program asks the kernel for anything, hence with a guard. */
  readonly guarded: readonly HookPoint[];
  readonly conntrack: readonly Family[];
}

export const NO_NEEDS: Needs = Object.freeze({ points: [], rejecting: [], guarded: [], conntrack: [] });

export function needsOf(state: GenerationState | undefined): Needs {
  const hooks = FAMILIES.flatMap((family) =>
    (state?.families[family]?.tables ?? []).flatMap((table) =>
      table.placement === 'kernel'
        ? []
        : table.hooks.map(({ hook, reject, bridge }) => ({
            point: { family, table: table.name, hook },
            reject,
            effects: bridge !== undefined,
          })),
    ),
  );
  return {
    points: hooks.map(({ point }) => point),
    rejecting: hooks.filter(({ reject }) => reject.length > 0).map(({ point }) => point),
    guarded: hooks.filter(({ reject, effects }) => effects || reject.length > 0).map(({ point }) => point),
    conntrack: FAMILIES.filter((family) => state?.families[family]?.conntrack === true),
  };
}

export function includesPoint(points: readonly HookPoint[], point: HookPoint): boolean {
  return points.some((other) => samePoint(other, point));
}
