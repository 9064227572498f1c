/**
 * Where everything lies in bpffs, and the fixed numbers that programs of different generations share.
 *
 *     <bpffs>/bpfilter/<network namespace cookie>/
 *         bf_generation  bf_progs  bf_events  bf_pending  bf_pending_n      maps that outlive generations
 *         stubs/ipv4-filter-INPUT                                            links, one for each hook in use
 *         guards/ipv4-filter-INPUT                                           links behind bridges
 *         stages/ipv4-filter-INPUT-7-1                                      links of generation 7 for suspended packets
 *         early/3                                                            links on devices, by the device's index
 *         effects/more-0                                                     programs of the rules that carry effects out
 *         gen-7/state                                                        what generation 7 is (see state.ts)
 *         gen-7/ipv4-bf_counters  gen-7/ipv4-filter-INPUT                    its maps and programs
 */

import type { MapSpec } from '../bpf/program.ts';
import { MAP_NAMES } from '../codegen/compiled.ts';
import { EFFECT_MAPS } from '../codegen/netfilter/effects.ts';
import { EARLY_PROGRAMS } from '../codegen/xdp/stub.ts';
import {
  FAMILIES,
  type Family,
  HOOKS,
  type Hook,
  isHook,
  isTableName,
  TABLE_HOOKS,
  TABLES,
  type TableName,
} from '../packet/netfilter.ts';

/** A place where one table of one family can filter. */
export interface HookPoint {
  readonly family: Family;
  readonly table: TableName;
  readonly hook: Hook;
}

/** Every hook point; a point's position is its slot. Slots never change while anything is pinned, so only append. */
export const HOOK_POINTS: readonly HookPoint[] = Object.freeze(
  FAMILIES.flatMap((family) =>
    TABLES.flatMap((table) => TABLE_HOOKS[table].hooks.map((hook) => Object.freeze({ family, table, hook }))),
  ),
);

/** The slot of a hook point: the stub's number. Throws for a point that does not exist. */
export function slotOf(point: HookPoint): number {
  const slot = HOOK_POINTS.findIndex((other) => samePoint(other, point));
  if (slot === -1) throw new RangeError(`table ${point.table} has no chain ${point.hook}`);
  return slot;
}

/** The element of the PROG_ARRAY that a generation uses for a slot (even generations: even elements). */
export function progIndex(slot: number, generation: number): number {
  return slot * 2 + (generation & 1);
}

export function samePoint(a: HookPoint, b: HookPoint): boolean {
  return a.family === b.family && a.table === b.table && a.hook === b.hook;
}

/** `ipv4-filter-INPUT`: the name of a hook point's pins. (bpffs reserves names with dots.) */
export function pointName(point: HookPoint): string {
  return `${point.family}-${point.table}-${point.hook}`;
}

export function isFamily(name: string): name is Family {
  return (FAMILIES as readonly string[]).includes(name);
}

/** The hook point that a pin is named after, or undefined. */
export function pointOf(name: string): HookPoint | undefined {
  const [family, table, hook, ...rest] = name.split('-');
  if (family === undefined || table === undefined || hook === undefined || rest.length > 0) return undefined;
  return isFamily(family) && isTableName(table) && isHook(hook) ? { family, table, hook } : undefined;
}

/** In hook order, the order in which a packet can meet them. */
export function byHook(a: Hook, b: Hook): number {
  return HOOKS.indexOf(a) - HOOKS.indexOf(b);
}

export const GENERATION_MAP = 'bf_generation';
export const PROGS_MAP = 'bf_progs';

/** Bytes of the event buffer: some thousand events for a reader that is away for a moment; a power of two pages. */
const EVENTS_BYTES = 1 << 20;
/** Packets that can be between our verdict and the REJECT bridge at the same time. One softirq or task is at one. */
const PENDING_ENTRIES = 4096;

/** The maps that outlive generations. */
export const PERSISTENT_MAPS = [
  { name: GENERATION_MAP, type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 },
  { name: PROGS_MAP, type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: HOOK_POINTS.length * 2 },
  { name: MAP_NAMES.events, type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: EVENTS_BYTES },
  { name: MAP_NAMES.pending, type: 'hash', keySize: 8, valueSize: 4, maxEntries: PENDING_ENTRIES },
  { name: MAP_NAMES.pendingCount, type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 },
  ...EFFECT_MAPS,
  EARLY_PROGRAMS,
] as const satisfies readonly MapSpec[];

export function isPersistentMap(name: string): boolean {
  return PERSISTENT_MAPS.some((spec) => spec.name === name);
}

/** Paths of one network namespace. */
export interface Layout {
  readonly root: string;
  readonly stubs: string;
  readonly guards: string;
  /** Links that go on with suspended packets. */
  readonly stages: string;
  map(name: string): string;
  stub(point: HookPoint): string;
  guard(point: HookPoint): string;
  /** Programs of the rules that carry effects out. */
  readonly effects: string;
  /** Links on devices. */
  readonly early: string;
  earlyLink(index: number, mode: string): string;
  /** The early program of a family. */
  earlyProgram(generation: number, family: Family): string;
  generation(number: number): string;
  state(generation: number): string;
  /** How the kernel's own tables were before the generation changed them; only until it is in force. */
  undo(generation: number): string;
  generationMap(generation: number, family: Family, name: string): string;
  /** A map that both families share: its name begins with no family. */
  namedMap(generation: number, name: string): string;
  program(generation: number, point: HookPoint): string;
}

export function layoutOf(bpffs: string, cookie: bigint): Layout {
  const root = `${bpffs}/bpfilter/${cookie}`;
  const generation = (number: number): string => `${root}/gen-${number}`;
  return {
    root,
    stubs: `${root}/stubs`,
    guards: `${root}/guards`,
    stages: `${root}/stages`,
    effects: `${root}/effects`,
    early: `${root}/early`,
    earlyLink: (index, mode) => `${root}/early/${index}${mode === 'native' ? '' : `-${mode}`}`,
    earlyProgram: (number, family) => `${generation(number)}/${family}-early`,
    map: (name) => `${root}/${name}`,
    stub: (point) => `${root}/stubs/${pointName(point)}`,
    guard: (point) => `${root}/guards/${pointName(point)}`,
    generation,
    state: (number) => `${generation(number)}/state`,
    undo: (number) => `${generation(number)}/undo`,
    generationMap: (number, family, name) => `${generation(number)}/${family}-${name}`,
    namedMap: (number, name) => `${generation(number)}/${name}`,
    program: (number, point) => `${generation(number)}/${pointName(point)}`,
  };
}

/** The number in a directory name `gen-<number>`, or undefined. */
export function generationOf(directory: string): number | undefined {
  const digits = /^gen-([1-9]\d{0,14})$/.exec(directory)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
