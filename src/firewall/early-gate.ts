/**
 * Opening the gates of early drop behind table raw: what hangs on the netfilter hooks is looked through once after every apply. Where there is
 * only what does nothing with a packet that our rules drop, the gate is told so, and how the lists of hooks look, so that it closes as soon as
 * anything else hangs there.
 */

import { GATE, GATE_FLAGS, GATE_HOOKS, GATE_MAP, GATE_TABLES, type GateHook } from '../codegen/xdp/gate.ts';
import { STAGE_SLOTS, STAGES_MAP, type StageSlot } from '../codegen/xdp/stages.ts';
import { findConntrackMemory } from '../kernel/conntrack-memory.ts';
import {
  type HookEntry,
  type HookList,
  kernelFunctions,
  readHookList,
  TABLE_FUNCTIONS,
} from '../kernel/hook-entries.ts';
import { type KernelWords, openKernelWords } from '../kernel/kernel-words.ts';
import { u32Key } from '../kernel/map.ts';
import { NFT_TABLE } from '../kernel/nfnetlink.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { findLocalRule } from '../kernel/routing-rules.ts';
import { FAMILIES, type Family, isTableName, type TableName } from '../packet/netfilter.ts';
import { filters } from './foreign.ts';
import type { Layout } from './layout.ts';
import type { FamilyState, GenerationState } from './state.ts';

/** Opens what may be opened of each family with early programs. Answers why something stays closed. */
export function openEarlyGates(layout: Layout, state: GenerationState): readonly string[] {
  const families = FAMILIES.filter((family) => state.families[family]?.maps.includes(GATE_MAP));
  if (families.length === 0) return [];
  try {
    return open(layout, state, families);
  } catch (error) {
    // They stay closed, and the rules are enforced at the hooks.
    return [`early drop: nothing behind table raw: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function open(layout: Layout, state: GenerationState, families: readonly Family[]): readonly string[] {
  const words = openKernelWords();
  try {
    const functions = kernelFunctions();
    return families.flatMap((family) => {
      const stages = stagesFilled(layout.generationMap(state.generation, family, STAGES_MAP.name));
      const gate = inspect(words, functions, family, state.families[family]!, stages);
      const map = openPinnedMap(layout.generationMap(state.generation, family, GATE_MAP));
      try {
        map.writeValue(gate.value);
      } finally {
        map.close();
      }
      return gate.closed.map((why) => `early drop of ${family}: ${why}`);
    });
  } finally {
    words.close();
  }
}

/** Elements of the PROG_ARRAY that have a program. */
function stagesFilled(path: string): ReadonlySet<StageSlot> {
  const map = openPinnedMap(path);
  try {
    return new Set(STAGE_SLOTS.filter((_, slot) => map.lookup(u32Key(slot)) !== undefined));
  } finally {
    map.close();
  }
}

interface Gate {
  readonly value: Uint8Array;
  readonly closed: readonly string[];
}

function inspect(
  words: KernelWords,
  functions: ReadonlyMap<bigint, string>,
  family: Family,
  state: FamilyState,
  stages: ReadonlySet<StageSlot>,
): Gate {
  const lists = GATE_HOOKS.map((hook) => readHookList(words, functions, family, hook));
  // Before anybody looks at their rules.
  const tables = lists.map(({ entries }) => tablesOf(words, entries));
  const strangers = (hook: GateHook, behind: boolean): string[] =>
    strangersOf(lists[GATE_HOOKS.indexOf(hook)]!, family, state, behind);
  const [before, between] = [strangers('PREROUTING', false), strangers('PREROUTING', true)];
  const tracking = lists[0]!.entries.some(({ function: name }) => TRACKING.has(name));
  const memory = tracking ? findConntrackMemory(words) : undefined;
  const value = Buffer.alloc(GATE.bytes);
  const closed: string[] = [];
  if (tracking && memory === undefined)
    closed.push('nothing behind table raw: where connections are counted is not known');
  else if (tracking !== state.conntrack && state.conntrack)
    closed.push('nothing behind table raw: connections are not tracked');
  else if (before.length > 0) closed.push(`nothing behind table raw: ${before.join(', ')} comes before`);
  else {
    let flags: number = GATE_FLAGS.PREROUTING | (tracking ? GATE_FLAGS.tracked : 0);
    for (const hook of ['INPUT', 'FORWARD'] as const) {
      const others = [...new Set([...between, ...strangers(hook, false)])];
      if (others.length === 0) flags |= GATE_FLAGS[hook];
      else if ([...stages].some((slot) => slot.endsWith(hook)))
        closed.push(`nothing of chain ${hook}: ${others.join(', ')} comes before`);
    }
    value.writeUInt32LE(flags, GATE.flags);
    lists.forEach(({ address, entries }, index) => {
      value.writeUInt32LE(entries.length, GATE.counts + 4 * index);
      value.writeBigUInt64LE(address, GATE.lists + 8 * index);
      tables[index]!.slice(0, GATE_TABLES).forEach((table, number) => {
        const place = GATE.tables + (index * GATE_TABLES + number) * 16;
        value.writeBigUInt64LE(table.address, place);
        value.writeBigUInt64LE(table.value, place + 8);
      });
    });
    const rule = findLocalRule(words, family);
    value.writeBigUInt64LE(rule?.address ?? 0n, GATE.rules);
    value.writeBigUInt64LE(rule?.rule ?? 0n, GATE.rules + 8);
    value.writeBigUInt64LE(memory?.counts ?? 0n, GATE.conntrack);
    value.writeBigUInt64LE(memory?.most ?? 0n, GATE.most);
  }
  return { value, closed };
}

const TRACKING: ReadonlySet<string> = new Set(['ipv4_conntrack_in', 'ipv6_conntrack_in']);
/** They do nothing with a packet that no rule has passed, that is no fragment and has no entry. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...TRACKING,
  ...['ipv4_conntrack_defrag', 'ipv6_defrag', 'nf_confirm', 'ipv4_confirm', 'ipv6_confirm'],
  // Of br_netfilter: for packets that come from a bridge.
  'ip_sabotage_in',
]);

/**
 * Names of what hangs there that packets cannot be followed through. `behind`: what comes behind our last program counts, too; else a packet
 * that one of ours drops never comes there.
 */
function strangersOf({ entries }: HookList, family: Family, state: FamilyState, behind: boolean): string[] {
  const met = behind ? entries : entries.slice(0, entries.findLastIndex(({ owner }) => owner === 'bf_stub') + 1);
  return [...new Set(met.filter((entry) => !isHarmless(entry, family, state)).map(nameOf))];
}

/** Where the kernel's own tables keep the rules that they have, and which these are: others after every change. */
function tablesOf(words: KernelWords, entries: readonly HookEntry[]): { address: bigint; value: bigint }[] {
  return entries
    .filter(isKernelTable)
    .map(({ own }) => words.place(own, 'xt_table', 'private'))
    .map((address) => ({ address, value: words.word(address) }));
}

function isKernelTable({ function: name }: HookEntry): boolean {
  return TABLE_FUNCTIONS.has(name);
}

function isHarmless(entry: HookEntry, family: Family, state: FamilyState): boolean {
  const { function: name, owner } = entry;
  if (HARMLESS.has(name)) return true;
  if (name === 'nf_hook_run_bpf') return OUR_PROGRAMS.has(owner);
  if (name.startsWith('nft_do_chain')) return owner === NFT_TABLE;
  return isKernelTable(entry) && isTableName(owner) && isIdle(owner, family, state);
}

/** The kernel's own table of this name has no rules, or only those that carry effects of ours out. */
function isIdle(table: TableName, family: Family, { tables }: FamilyState): boolean {
  const ours = tables.find(({ name }) => name === table);
  if (table === 'nat' || ours?.placement === 'kernel') return false;
  return ours?.hooks.some(({ bridge }) => bridge !== undefined) === true || !filters(family, table);
}

const OUR_PROGRAMS: ReadonlySet<string> = new Set(['bf_stub', 'bf_guard']);

function nameOf({ function: name, owner }: HookEntry): string {
  if (name === '') return 'a function whose name the system hides';
  return owner === '' ? name : `${owner} (${name})`;
}
