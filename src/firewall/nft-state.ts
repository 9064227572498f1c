/** What our nft table holds in this namespace. */

import { isErrno } from '../kernel/errno.ts';
import { type NftState, readNftState } from '../kernel/nfnetlink.ts';
import type { Family } from '../packet/netfilter.ts';

/** Nothing, also on a kernel without nf_tables: rules that need neither conntrack nor REJECT do without it. */
export function nftState(family: Family): NftState {
  try {
    return readNftState(family);
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'EOPNOTSUPP', 'EPROTONOSUPPORT', 'EAFNOSUPPORT')) return { conntrack: false };
    throw error;
  }
}
