/**
 * The programs on devices. A link stays as it is over generations: the program looks at the generation word and finds the rules in
 * force in the PROG_ARRAY, or lets everything pass. So hanging one up, or taking it down, decides about no packet.
 */

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import type { EarlyPrograms } from '../codegen/xdp/program.ts';
import { STAGE_SLOTS, STAGES_MAP } from '../codegen/xdp/stages.ts';
import { EARLY_PROGRAMS, earlySlot, STUB_KINDS } from '../codegen/xdp/stub.ts';
import { networkDevices } from '../kernel/devices.ts';
import { type BpfMap, u32Key } from '../kernel/map.ts';
import { openPinnedLink, pin } from '../kernel/object.ts';
import { type BpfProgram, loadProgram, setProgramSlot } from '../kernel/program.ts';
import { attachXdp, updateXdpLink, type XdpMode, type XdpRefusal, xdpLinkDevice } from '../kernel/xdp-link.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import { type EarlyWish, wishedDevices } from './early-devices.ts';
import type { EarlyDevice, EarlyStubs } from './early-plan.ts';
import type { Layout } from './layout.ts';
import type { FamilyPlan } from './plan.ts';
import type { FamilyState, GenerationState } from './state.ts';
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

/** Devices that the generation's early programs are meant for: those that are there now. */
function devicesOf(state: GenerationState | undefined): readonly EarlyDevice[] {
  const wish = wishOf(state);
  return wish === undefined ? [] : wishedDevices(wish, networkDevices());
}

/** What the last apply said about devices, if there are programs for them. */
export function wishOf(state: GenerationState | undefined): EarlyWish | undefined {
  return FAMILIES.map((family) => earlyOf(state?.families[family])).find((wish) => wish !== undefined);
}

/** The devices that a family has early programs for. */
export function earlyOf(family: FamilyState | undefined): EarlyWish | undefined {
  return family?.earlyIdle === true ? undefined : family?.early;
}

/**
 * Hangs the programs on the devices that are meant, or exchanges what hangs there by our links in place. A device that takes none is not
 * an error: all rules are enforced at the netfilter hooks. Answers what there is to say about that.
 */
export function hangEarlyLinks(layout: Layout, maps: PersistentMaps, plans: readonly FamilyPlan[]): readonly string[] {
  const planned = plans.find(({ early }) => early?.programs !== undefined)?.early;
  if (planned?.programs === undefined) return [];
  return hangOn(layout, maps, planned.programs.stubs, planned.devices, planned.mode);
}

/** The same for these devices. */
export function hangOn(
  layout: Layout,
  maps: PersistentMaps,
  stubs: EarlyStubs,
  devices: readonly EarlyDevice[],
  mode: XdpMode,
): readonly string[] {
  const warnings: string[] = [];
  mkdirSync(layout.early, { recursive: true, mode: 0o700 });
  for (const kind of STUB_KINDS) {
    const own = devices.filter((device) => device.kind === kind);
    if (own.length === 0) continue;
    const program = loadProgram(stubs[kind], maps.byName);
    try {
      for (const device of own) {
        const problem = hang(layout, program, device, mode);
        if (problem !== undefined) warnings.push(`no early drop on ${device.name}: ${problem}`);
      }
    } finally {
      program.close();
    }
  }
  return warnings;
}

/** Why it does not hang there now; undefined: it does. */
function hang(layout: Layout, program: BpfProgram, device: EarlyDevice, mode: XdpMode): string | undefined {
  if (mode === 'generic' && device.kind === 'veth')
    return `[xdp-generic] in generic mode it is not certain on a veth that a frame has no VLAN tag; ${STILL}`;
  if (updated(layout, program, device.index, mode)) return undefined;
  // Both modes exclude each other.
  removeEarlyLinks(layout, (index) => index === device.index);
  const attached = attachXdp(program, device.index, mode);
  if ('refusal' in attached) {
    const { code, text } = EXPLANATIONS[attached.refusal];
    return `[${code}] ${text}; ${STILL} (${attached.cause.message})`;
  }
  try {
    pin(attached.link.fd, layout.earlyLink(device.index, mode));
  } finally {
    attached.link.close();
  }
  return undefined;
}

const STILL = 'the rules are enforced at the netfilter hooks all the same';

const EXPLANATIONS = {
  occupied: {
    code: 'xdp-occupied',
    text: 'it has an XDP program of somebody else, which stays (`bpftool net` shows it)',
  },
  incapable: { code: 'xdp-incapable', text: 'its driver cannot run XDP programs (`--xdp-mode generic` can, for less)' },
  gone: { code: 'xdp-gone', text: 'it is not there any more' },
  refused: {
    code: 'xdp-refused',
    text: 'its driver refuses an XDP program in its present configuration, mostly because of its MTU or of its queues',
  },
} as const satisfies Record<XdpRefusal, { code: string; text: string }>;

/**
 * Exchanges the program of our link, if there is one in this mode, for this one: also where somebody has put another in its place. A device
 * that has gone leaves its link behind, hanging on nothing; a link that somebody has detached, too.
 */
function updated(layout: Layout, program: BpfProgram, index: number, mode: XdpMode): boolean {
  const path = layout.earlyLink(index, mode);
  if (!existsSync(path)) return false;
  const link = openPinnedLink(path);
  try {
    if (xdpLinkDevice(link) === index) {
      updateXdpLink(link, program);
      return true;
    }
    rmSync(path, { force: true });
  } finally {
    link.close();
  }
  return false;
}

/** Takes down the links that `state` has no use for, and empties what it does not use of the PROG_ARRAY. */
export function keepEarly(layout: Layout, maps: PersistentMaps, state: GenerationState | undefined): void {
  keepLinks(layout, state);
  const array = maps.byName.get(EARLY_PROGRAMS.name);
  for (const family of FAMILIES) {
    for (const half of [0, 1]) {
      const used =
        state !== undefined && (state.generation & 1) === half && earlyOf(state.families[family]) !== undefined;
      if (!used) array?.delete(u32Key(earlySlot(family, half)));
    }
  }
}

/** Takes down the links on devices that are not meant, or not in this way. */
export function keepLinks(layout: Layout, state: GenerationState | undefined): void {
  const wanted = new Set(devicesOf(state).map(({ index }) => index));
  const mode = wishOf(state)?.mode;
  removeEarlyLinks(layout, (index, own) => !wanted.has(index) || own !== mode);
}

/** Takes links off their devices. */
export function removeEarlyLinks(layout: Layout, unwanted: (index: number, mode: string) => boolean): void {
  if (!existsSync(layout.early)) return;
  for (const name of readdirSync(layout.early)) {
    const [index = '', mode = 'native'] = name.split('-');
    if (!unwanted(Number(index), mode)) continue;
    const path = layout.earlyLink(Number(index), mode);
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
