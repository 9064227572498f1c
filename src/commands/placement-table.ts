/** What `apply` and `check --placement` print: where every chain runs, and how the rules are divided. */

import { type ChainPlacement, type Share, shareOf } from '../firewall/placement.ts';
import { textTable } from './text-table.ts';

export function placementTable(chains: readonly ChainPlacement[]): string {
  const table = textTable(
    [
      { title: 'FAMILY' },
      { title: 'TABLE' },
      { title: 'CHAIN' },
      { title: 'PLACEMENT' },
      { title: 'RULES', align: 'right' },
    ],
    chains.map((chain) => [chain.family, chain.table, chain.chain, chain.placement, String(chain.rules)]),
  );
  return `${table}${shareLine(shareOf(chains))}`;
}

/** `rules outside nat: 12 bpf (75 %), 0 bpf+bridge (0 %), 4 kernel (25 %)`. */
export function shareLine(share: Share): string {
  const total = share.bpf + share['bpf+bridge'] + share.kernel;
  const part = (count: number): string => (total === 0 ? '0' : String(Math.round((count / total) * 1000) / 10));
  const parts = Object.entries(share).map(([placement, count]) => `${count} ${placement} (${part(count)} %)`);
  return `rules outside nat: ${parts.join(', ')}\n`;
}
