/** Where a network namespace keeps what it knows of its connections, as a whole. */

import type { KernelWords } from './kernel-words.ts';

export interface ConntrackMemory {
  /** Address of struct nf_conntrack_net. */
  readonly counts: bigint;
  /** Address of nf_conntrack_max, an unsigned int. */
  readonly most: bigint;
}

/** Modules with something of their own in each namespace; theirs are looked through. */
const MOST_OWNERS = 256;
const KERNEL = 1n << 63n;

/**
 * The structure has a number that only the kernel knows. It is recognised by its table of sysctls, whose first line is nf_conntrack_max.
 * Undefined: not found.
 */
export function findConntrackMemory(words: KernelWords): ConntrackMemory | undefined {
  const owners = words.member(words.namespace(), 'net', 'gen');
  for (let owner = 1; owner < MOST_OWNERS; owner++) {
    const counts = words.word(owners + 8n * BigInt(owner));
    if (counts < KERNEL) continue;
    const header = words.member(counts, 'nf_conntrack_net', 'sysctl_header');
    if (header < KERNEL) continue;
    const table = words.member(header, 'ctl_table_header', 'ctl_table');
    if (table < KERNEL || words.text(words.member(table, 'ctl_table', 'procname')) !== 'nf_conntrack_max') continue;
    return { counts, most: words.member(table, 'ctl_table', 'data') };
  }
  return undefined;
}
