/**
 * The programs on devices. A link stays as it is over generations: the program looks at the generation word and finds the rules in
 * force in the PROG_ARRAY, or lets everything pass. So hanging one up, or taking it down, decides about no packet.
 */

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import type { EarlyPrograms } from '../codegen/xdp/program.ts';
import { STAGE_SLOTS, STAGES_MAP } from '../codegen/xdp/stages.ts';
import { EARLY_PROGRAMS, earlySlot } from '../codegen/xdp/stub.ts';
import { type BpfMap, u32Key } from '../kernel/map.ts';
import { openPinnedLink, pin } from '../kernel/object.ts';
import { type BpfProgram, loadProgram, setProgramSlot } from '../kernel/program.ts';
import { attachXdp, type XdpRefusal, xdpLinkDevice } from '../kernel/xdp-link.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import type { EarlyDevice } from './early-plan.ts';
import type { Layout } from './layout.ts';
import type { FamilyPlan } from './plan.ts';
import type { GenerationState } from './state.ts';
import type { PersistentMaps } from './store.ts';

/** Fills the generation's half of the PROG_ARRAY: nobody looks there before the switch. */
export function fillEarlySlots(
  maps: PersistentMaps,
  generation: number,
  programs: readonly { readonly family: Family; readonly program: BpfProgram }[],
): void {
  const array = maps.byName.get(EARLY_PROGRAMS.name)!;
  for (const family of FAMILIES) {
    const loaded = programs.find((item) => item.family === family);
    const slot = earlySlot(family, generation);
    if (loaded === undefined) array.delete(u32Key(slot));
    else setProgramSlot(array, slot, loaded.program);
  }
}

/** Loads the programs that the first one goes on with, and puts them where it finds them. */
export function fillEarlyStages({ next }: EarlyPrograms, maps: ReadonlyMap<string, BpfMap>): void {
  for (const { slot, program: spec } of next) {
    const program = loadProgram(spec, maps);
    try {
      setProgramSlot(maps.get(STAGES_MAP.name)!, STAGE_SLOTS.indexOf(slot), program);
    } finally {
      program.close();
    }
  }
}

/** Devices that the generation's early programs are meant for. */
function devicesOf(state: GenerationState | undefined): readonly EarlyDevice[] {
  const devices = FAMILIES.flatMap((family) => state?.families[family]?.early ?? []);
  return [...new Map(devices.map((device) => [device.index, device])).values()];
}

/**
 * Hangs the program on the devices that have none of ours yet. A device that takes none is not an error: all rules are enforced at the
 * netfilter hooks. Answers what there is to say about that.
 */
export function hangEarlyLinks(layout: Layout, maps: PersistentMaps, plans: readonly FamilyPlan[]): readonly string[] {
  const planned = plans.flatMap(({ early }) =>
    early?.programs === undefined ? [] : [{ ...early, ...early.programs }],
  );
  const [first] = planned;
  if (first === undefined) return [];
  const warnings: string[] = [];
  mkdirSync(layout.early, { recursive: true, mode: 0o700 });
  const program = loadProgram(first.stub, maps.byName);
  try {
    for (const device of new Map(
      planned.flatMap(({ devices }) => devices).map((item) => [item.index, item]),
    ).values()) {
      if (hangsOn(layout, device.index)) continue;
      const attached = attachXdp(program, device.index);
      if ('refusal' in attached) {
        warnings.push(`no early drop on ${device.name}: ${EXPLANATIONS[attached.refusal]} (${attached.cause.message})`);
        continue;
      }
      try {
        pin(attached.link.fd, layout.earlyLink(device.index));
      } finally {
        attached.link.close();
      }
    }
  } finally {
    program.close();
  }
  return warnings;
}

const EXPLANATIONS = {
  occupied:
    'it has an XDP program of somebody else, which stays; the rules are enforced at the netfilter hooks all the same',
  incapable: 'its driver cannot run XDP programs',
  gone: 'it is not there any more',
  refused: 'its driver refuses an XDP program in its present configuration',
} as const satisfies Record<XdpRefusal, string>;

/** Whether our link is there and its device, too: a device that has gone leaves its link behind, hanging on nothing. */
function hangsOn(layout: Layout, index: number): boolean {
  const path = layout.earlyLink(index);
  if (!existsSync(path)) return false;
  const link = openPinnedLink(path);
  try {
    if (xdpLinkDevice(link) === index) return true;
  } finally {
    link.close();
  }
  rmSync(path, { force: true });
  return false;
}

/** Takes down the links that `state` has no use for, and empties what it does not use of the PROG_ARRAY. */
export function keepEarly(layout: Layout, maps: PersistentMaps, state: GenerationState | undefined): void {
  const wanted = devicesOf(state).map(({ index }) => index);
  removeEarlyLinks(layout, (index) => !wanted.includes(index));
  const array = maps.byName.get(EARLY_PROGRAMS.name);
  for (const family of FAMILIES) {
    for (const half of [0, 1]) {
      const used =
        state !== undefined && (state.generation & 1) === half && state.families[family]?.early !== undefined;
      if (!used) array?.delete(u32Key(earlySlot(family, half)));
    }
  }
}

/** Takes links off their devices. */
export function removeEarlyLinks(layout: Layout, unwanted: (index: number) => boolean): void {
  if (!existsSync(layout.early)) return;
  for (const name of readdirSync(layout.early)) {
    if (!unwanted(Number(name))) continue;
    const path = layout.earlyLink(Number(name));
    const link = openPinnedLink(path);
    try {
      // The pin first, as with stubs (tidy.ts). A link whose device has gone is detached already.
      rmSync(path, { force: true });
      if (xdpLinkDevice(link) !== 0) link.detach();
    } finally {
      link.close();
    }
  }
}
