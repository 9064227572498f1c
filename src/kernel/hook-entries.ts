/** What hangs on the netfilter hooks of the calling thread's network namespace, read where the kernel keeps it. */

import { readFileSync } from 'node:fs';
import { type Family, type Hook, NF_INET_HOOK } from '../packet/netfilter.ts';
import type { KernelWords } from './kernel-words.ts';

export interface HookEntry {
  /** Name of the kernel function that is called. */
  readonly function: string;
  /** Whose it is: the program's name (nf_hook_run_bpf), the table's name (nft_do_chain..., ipt_do_table, ip6t_do_table). */
  readonly owner: string;
  /** Address of what the function is called with. */
  readonly own: bigint;
}

export interface HookList {
  /** Of struct nf_hook_entries; another one after every change. 0: nothing hangs there. */
  readonly address: bigint;
  readonly entries: readonly HookEntry[];
}

const ENTRY_BYTES = 16n;
/** struct nf_hook_entries has its entries behind a number of 16 bits, padded. */
const FIRST_ENTRY = 8n;

/** `functions`: see kernelFunctions. @throws Error when the kernel lacks a type */
export function readHookList(
  words: KernelWords,
  functions: ReadonlyMap<bigint, string>,
  family: Family,
  hook: Hook,
): HookList {
  const lists = words.place(words.namespace(), 'net', `nf.hooks_${family}`);
  const address = words.word(lists + 8n * BigInt(NF_INET_HOOK[hook]));
  const count = Number(words.member(address, 'nf_hook_entries', 'num_hook_entries'));
  const entries = Array.from({ length: count }, (_, index): HookEntry => {
    const at = address + FIRST_ENTRY + ENTRY_BYTES * BigInt(index);
    const name = functions.get(words.word(at)) ?? '';
    const own = words.word(at + 8n);
    return { function: name, owner: ownerOf(words, name, own), own };
  });
  return { address, entries };
}

/** What runs a table of ip_tables or ip6_tables; mangle has a function of its own. */
export const TABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  ...['ipt_do_table', 'ip6t_do_table', 'iptable_mangle_hook', 'ip6table_mangle_hook'],
]);

function ownerOf(words: KernelWords, name: string, own: bigint): string {
  if (name === 'nf_hook_run_bpf')
    return words.text(words.place(words.member(own, 'bpf_prog', 'aux'), 'bpf_prog_aux', 'name'));
  if (name.startsWith('nft_do_chain'))
    return words.text(words.member(words.member(own, 'nft_chain', 'table'), 'nft_table', 'name'));
  if (TABLE_FUNCTIONS.has(name)) return words.text(words.place(own, 'xt_table', 'name'));
  return '';
}

const HOOK_FUNCTION = /^([0-9a-f]+) [tT] (nf_hook_run_bpf|nft_do_chain\w*|ip6?t_do_table|ip\w*|nf_\w*)(?:\t|$)/gm;

/** The kernel's functions that hooks may call, by address; none where the system hides them (kernel.kptr_restrict). */
export function kernelFunctions(): ReadonlyMap<bigint, string> {
  const found = readFileSync('/proc/kallsyms', 'latin1').matchAll(HOOK_FUNCTION);
  return new Map([...found].map(([, address, name]) => [BigInt(`0x${address}`), name!]));
}
