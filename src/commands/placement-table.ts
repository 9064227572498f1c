/** The table that `apply` and `check --placement` print: where every chain runs. */

import type { ChainPlacement } from '../firewall/placement.ts';
import { textTable } from './text-table.ts';

export function placementTable(chains: readonly ChainPlacement[]): string {
  return textTable(
    [
      { title: 'FAMILY' },
      { title: 'TABLE' },
      { title: 'CHAIN' },
      { title: 'PLACEMENT' },
      { title: 'RULES', align: 'right' },
    ],
    chains.map((chain) => [chain.family, chain.table, chain.chain, chain.placement, String(chain.rules)]),
  );
}
