/**
 * The tables that a packet meets on its way in, one stage each, as far as an early program can follow it:
 *
 *     raw PREROUTING -> [tracking] -> mangle PREROUTING -> [route] -+-> mangle, filter, security INPUT
 *                                                                  +-> mangle, filter, security FORWARD
 *
 * What lies between (in brackets) are gates: code that makes certain that the stack would do nothing with the packet there but hand it on.
 */

import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import { EARLY_PACKETS, type EarlyPackets, knowledgeOf, type Place } from './knowledge.ts';
import { canAccept, canDrop, reduceTable } from './reduce.ts';

export interface StagePoint {
  readonly table: TableName;
  readonly hook: Hook;
}

export const FIRST_STAGE = { table: 'raw', hook: 'PREROUTING' } as const satisfies StagePoint;
export const BEFORE_ROUTE = { table: 'mangle', hook: 'PREROUTING' } as const satisfies StagePoint;
/** In the order in which packets meet them. */
export const BEHIND_ROUTE = {
  INPUT: ['mangle', 'filter', 'security'],
  FORWARD: ['mangle', 'filter', 'security'],
} as const satisfies Partial<Record<Hook, readonly TableName[]>>;
export type RouteHook = keyof typeof BEHIND_ROUTE;
export const ROUTE_HOOKS = ['INPUT', 'FORWARD'] as const satisfies readonly RouteHook[];

export interface Stage extends StagePoint {
  readonly policy: TablePolicy;
  readonly place: Place;
  /** The reduced table for either kind of packets. */
  readonly tables: Readonly<Record<EarlyPackets, TablePolicy>>;
  /** What it accepts goes up the stack. */
  readonly last: boolean;
}

export interface Stages {
  readonly family: Family;
  /** Rules of the family are about connections: the gate of tracking has to be there. */
  readonly tracked: boolean;
  /** Absent: there is no table raw. */
  readonly first?: Stage;
  readonly beforeRoute?: Stage;
  readonly behindRoute: Readonly<Record<RouteHook, readonly Stage[]>>;
}

/** Up to where packets can be followed: why not further. */
export type Barrier = 'nat' | 'kernel table';

export interface StageSource {
  readonly policies: readonly TablePolicy[];
  /** Tables that stay with the kernel. */
  readonly kernel: readonly TableName[];
}

/** The stages of a family's rules that some packet can be dropped in, and those before them; undefined: none. */
export function planStages({ policies, kernel }: StageSource): Stages | undefined {
  const family = policies[0]?.family;
  if (family === undefined || kernel.includes('raw')) return undefined;
  const tracked = policies.some(({ conntrack }) => conntrack);
  const stage = (point: StagePoint, known: boolean, last: boolean): Stage | undefined => {
    const policy = policies.find(({ table }) => table === point.table);
    if (policy === undefined || !policy.chains.some(({ base }) => base?.hook === point.hook)) return undefined;
    const place = { hook: point.hook, tracked: known };
    const [ordinary, short] = EARLY_PACKETS.map((packets) =>
      reduceTable(policy, point.hook, knowledgeOf(family, packets, place), last),
    ) as [TablePolicy, TablePolicy];
    return { ...point, policy, place, tables: { ordinary, short }, last };
  };
  const behindRoute = { INPUT: [] as Stage[], FORWARD: [] as Stage[] };
  // What the kernel's nat counts and changes is not known here.
  const beyondMangle = !kernel.includes('mangle');
  if (beyondMangle && !kernel.includes('nat'))
    for (const hook of ROUTE_HOOKS)
      behindRoute[hook] = pathOf(hook, kernel, (point, last) => stage(point, tracked, last));
  const ways = ROUTE_HOOKS.some((hook) => behindRoute[hook].length > 0);
  const mangle = beyondMangle ? stage(BEFORE_ROUTE, tracked, !ways) : undefined;
  const beforeRoute = mangle !== undefined && (ways || drops(mangle)) ? mangle : undefined;
  if (beforeRoute !== undefined && !accepts(beforeRoute)) for (const hook of ROUTE_HOOKS) behindRoute[hook] = [];
  const more = beforeRoute !== undefined || ways;
  const first = stage(FIRST_STAGE, false, !more);
  const empty = { INPUT: [], FORWARD: [] };
  if (first !== undefined && !accepts(first) && more)
    return drops(first) ? { family, tracked, first: { ...first, last: true }, behindRoute: empty } : undefined;
  if (!more && (first === undefined || !drops(first))) return undefined;
  return {
    family,
    tracked,
    ...(first === undefined ? {} : { first }),
    ...(beforeRoute === undefined ? {} : { beforeRoute }),
    behindRoute,
  };
}

/** The stages behind a route, up to the last that can drop. */
function pathOf(
  hook: RouteHook,
  kernel: readonly TableName[],
  stage: (point: StagePoint, last: boolean) => Stage | undefined,
): Stage[] {
  const path: Stage[] = [];
  for (const table of BEHIND_ROUTE[hook]) {
    if (kernel.includes(table)) break;
    const made = stage({ table, hook }, false);
    if (made === undefined) continue;
    path.push(made);
    if (!accepts(made)) break;
  }
  const last = path.findLastIndex(drops);
  return path
    .slice(0, last + 1)
    .map((item, index) => (index < last ? item : stage({ table: item.table, hook }, true)!));
}

export function drops({ tables, hook }: Stage): boolean {
  return EARLY_PACKETS.some((packets) => canDrop(tables[packets], hook));
}

function accepts({ tables, hook }: Stage): boolean {
  return EARLY_PACKETS.some((packets) => canAccept(tables[packets], hook));
}

/** All of them. */
export function stagesOf({ first, beforeRoute, behindRoute }: Stages): readonly Stage[] {
  return [first, beforeRoute, ...ROUTE_HOOKS.flatMap((hook) => behindRoute[hook])].filter((item) => item !== undefined);
}
