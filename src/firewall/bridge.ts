/**
 * The way of a rejected packet from our program to the kernel's REJECT: an nft chain between stub and guard on every hook
 * whose program can reject. It always knows every class of its family, so that generations can change under it.
 */

import { existsSync, mkdirSync } from 'node:fs';
import type { ProgramSpec } from '../bpf/program.ts';
import { bridgeAnyProgram, bridgeClassProgram } from '../codegen/netfilter/bridge.ts';
import { installBridge, type NftState, removeBridge } from '../kernel/nfnetlink.ts';
import type { NativeReject } from '../kernel/nft-objects.ts';
import { pin } from '../kernel/object.ts';
import { loadProgram } from '../kernel/program.ts';
import { FAMILIES, type Family, type Hook, TABLE_HOOKS } from '../packet/netfilter.ts';
import { REJECT_WITH, type RejectWith } from '../policy/ir.ts';
import type { HookPoint, Layout } from './layout.ts';
import { nftState } from './nft-state.ts';
import { openPersistentMaps, type PersistentMaps } from './store.ts';

/** What the kernel sends: ICMP (v4, type 3) and ICMPv6 (type 1) destination-unreachable codes. */
const NATIVE = {
  'icmp-net-unreachable': icmp(0),
  'icmp-host-unreachable': icmp(1),
  'icmp-proto-unreachable': icmp(2),
  'icmp-port-unreachable': icmp(3),
  'icmp-net-prohibited': icmp(9),
  'icmp-host-prohibited': icmp(10),
  'icmp-admin-prohibited': icmp(13),
  'icmp6-no-route': icmp(0),
  'icmp6-adm-prohibited': icmp(1),
  'icmp6-addr-unreachable': icmp(3),
  'icmp6-port-unreachable': icmp(4),
  'icmp6-policy-fail': icmp(5),
  'icmp6-reject-route': icmp(6),
  'tcp-reset': { kind: 'tcpReset' },
} as const satisfies Record<RejectWith, NativeReject>;

function icmp(code: number): NativeReject {
  return { kind: 'icmp', code };
}

interface Base {
  readonly hook: Hook;
  readonly priority: number;
}

/** Makes sure that packets rejected at these points find a bridge; others that are there stay. Before the switch. */
export function addBridges(layout: Layout, maps: PersistentMaps, points: readonly HookPoint[]): void {
  for (const family of FAMILIES) {
    const present = presentBases(nftState(family), family);
    const wanted = [...present, ...basesOf(points, family).filter((base) => !includesBase(present, base))];
    if (wanted.length > present.length) install(layout, maps, family, wanted);
  }
}

/** Removes bridges that are not at these points. After the switch. */
export function keepBridges(layout: Layout, points: readonly HookPoint[]): void {
  for (const family of FAMILIES) {
    const state = nftState(family);
    if (state.bridge === undefined) continue;
    const wanted = basesOf(points, family);
    if (wanted.length === 0) {
      removeBridge(family);
    } else if (wanted.length < state.bridge.hooks.length) {
      const maps = openPersistentMaps(layout);
      try {
        install(layout, maps, family, wanted);
      } finally {
        maps.close();
      }
    }
  }
}

function presentBases({ bridge }: NftState, family: Family): readonly Base[] {
  return bridge?.classes === REJECT_WITH[family].length ? bridge.hooks : [];
}

function basesOf(points: readonly HookPoint[], family: Family): readonly Base[] {
  return points
    .filter((point) => point.family === family)
    .map(({ hook, table }) => ({ hook, priority: TABLE_HOOKS[table].priority }));
}

function includesBase(bases: readonly Base[], base: Base): boolean {
  return bases.some((other) => other.hook === base.hook && other.priority === base.priority);
}

function install(layout: Layout, maps: PersistentMaps, family: Family, hooks: readonly Base[]): void {
  const directory = `${layout.root}/bridge`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  installBridge({
    family,
    hooks,
    anyProgram: pinned(bridgeAnyProgram(), maps, `${directory}/any`),
    classes: REJECT_WITH[family].map((reject, number) => ({
      program: pinned(bridgeClassProgram(number), maps, `${directory}/class-${number}`),
      reject: NATIVE[reject],
    })),
  });
}

/** The path of a program that is loaded once for a namespace. */
function pinned(spec: ProgramSpec, maps: PersistentMaps, path: string): string {
  if (existsSync(path)) return path;
  const program = loadProgram(spec, maps.byName);
  try {
    pin(program.fd, path);
  } finally {
    program.close();
  }
  return path;
}
