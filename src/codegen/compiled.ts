/**
 * The compiler's output for one generation: everything the privileged side needs to install it, as plain data.
 */

import type { MapSpec, ProgramSpec } from '../bpf/program.ts';
import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { Effect } from '../policy/effect.ts';
import type { RejectWith } from '../policy/ir.ts';
import type { TableRuns } from './netfilter/lookup/plan.ts';
import type { NamedMap } from './netfilter/state/named-map.ts';

/** Names of maps that generated programs refer to. `events` and `pending` outlive generations, the rest belong to one. */
export const MAP_NAMES = {
  /** ARRAY, 1 element: possibleCpus x stride bytes; counter i of CPU c at c * stride + i * 16 (packets u64, bytes u64). */
  counters: 'bf_counters',
  /** ARRAY, 1 element: the state objects. */
  states: 'bf_states',
  /** ARRAY, 1 element: what LOG and NFLOG rules put in front of their events. */
  logs: 'bf_logs',
  /** ARRAY, 1 element: the region of a run (classify/image.ts); its number follows. */
  run: 'bf_run',
  /** LRU_HASH, key: address of the sk_buff, value: the kernel's answers (asked.ts). */
  asked: 'bf_asked',
  /** HASH, key: address of the sk_buff, value: a packet that waits for an answer, and where its rules go on (staged.ts). */
  suspended: 'bf_suspended',
  /** ARRAY, 1 element: u64 number of entries in `suspended`, u64 second in which old ones were last looked for. */
  suspendedCount: 'bf_suspended_n',
  /** ARRAY, 1 element: zeros, what an entry in `suspended` begins as. */
  newSuspended: 'bf_suspended_0',
  /** PROG_ARRAY: the programs that go on with suspended packets, by CompiledStages.index. */
  resume: 'bf_resume',
  /** RINGBUF: log events. */
  events: 'bf_events',
  /** HASH, key: address of the sk_buff, value: u32 reject class + 1; packets on their way to the REJECT bridge. */
  pending: 'bf_pending',
  /** ARRAY, 1 element: u64 number of entries in `pending`, so that nobody looks there for nothing. */
  pendingCount: 'bf_pending_n',
  /** HASH, key: address of the sk_buff, value: effects that the kernel has to carry out for the packet (netfilter/effects.ts). */
  effects: 'bf_effects',
  /** ARRAY, 1 element: u64 number of entries in `effects`. */
  effectCount: 'bf_effects_n',
  /** ARRAY, 1 element: zeros, what a list in `effects` begins as. */
  emptyList: 'bf_effects_0',
  /** ARRAY, 1 element: u64, what the numbers of this generation's effects begin with. */
  effectBase: 'bf_effect_base',
} as const;

export interface CompiledHook {
  readonly family: Family;
  readonly table: TableName;
  readonly hook: Hook;
  readonly program: ProgramSpec;
  /** Makes a program that means the same, in the shape that asks least of the verifier: for one that does not take `program`. */
  readonly fallback?: () => ProgramSpec | undefined;
  /** Reject classes that this program can ask the bridge for. */
  readonly reject: readonly RejectWith[];
  /** Effects that its packets can meet; empty: none. */
  readonly effects: readonly HookEffect[];
  /** The most entries that a packet's list can have. */
  readonly listLength: number;
  /** Numbers of the table's questions that must be asked before this program runs; without them it drops. */
  readonly answers: readonly number[];
  /** Its packets can be suspended; absent: they are not. */
  readonly stages?: CompiledStages;
}

/** What has to be between a hook's program and the bridges for packets that it suspends (netfilter/staged.ts). */
export interface CompiledStages {
  /** Where the program lies in the generation's array of such programs. */
  readonly index: number;
  /** How often a packet can be suspended: so many times the kernel is asked and the program called again. */
  readonly count: number;
  /** Numbers of the table's questions that its packets can get to. */
  readonly questions: readonly number[];
}

/** The questions of a table that are asked on the way; number n goes by `first + n` in the map. */
export interface StagedBase {
  readonly family: Family;
  readonly table: TableName;
  readonly first: number;
}

/** An effect as the programs number it: FIRST_EFFECT + its place among all effects of the generation. */
export interface HookEffect {
  readonly number: number;
  /** Its place in TablePolicy.effects. */
  readonly index: number;
  readonly effect: Effect;
}

/** Where the counters of one table begin in the generation's counter map. */
export interface CounterBase {
  readonly family: Family;
  readonly table: TableName;
  readonly first: number;
  readonly count: number;
}

export interface CompiledRuns {
  readonly family: Family;
  readonly table: TableName;
  readonly chains: TableRuns;
}

export interface CompiledGeneration {
  readonly hooks: readonly CompiledHook[];
  readonly maps: readonly MapSpec[];
  readonly counters: readonly CounterBase[];
  /** Tables with questions that are asked on the way; absent: there are none. */
  readonly staged?: readonly StagedBase[];
  /** Bytes between the counters of two CPUs. */
  readonly counterStride: number;
  /** The look-ups of each table whose programs have some; what changes their memory needs to know. */
  readonly runs?: readonly CompiledRuns[];
  /** Tables that rules share by name, and the maps (among `maps`) that hold them. */
  readonly named: readonly NamedMap[];
  readonly needs: { readonly conntrack: readonly Family[]; readonly log: boolean };
}
