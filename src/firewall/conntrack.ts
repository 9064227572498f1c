/** Connection tracking is on in a namespace only while somebody uses it; here that is one rule of our nft table per family. */

import { disableConntrack, enableConntrack } from '../kernel/nfnetlink.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import { nftState } from './nft-state.ts';

/** Switches connection tracking on for these families, where we have not yet. Before the switch. */
export function addConntrack(families: readonly Family[]): void {
  for (const family of families) if (!nftState(family).conntrack) enableConntrack(family);
}

/** Takes the switch back for all other families. After the switch. */
export function keepConntrack(families: readonly Family[]): void {
  for (const family of FAMILIES) {
    if (!families.includes(family) && nftState(family).conntrack) disableConntrack(family);
  }
}
