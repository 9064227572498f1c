/** Putting whole policies on devices, and taking them off. Call these alone, in the namespace. */

import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { hookText } from '../device/hook.ts';
import {
  attachToDevice,
  type DeviceRefusal,
  exchangeProgram,
  programsAtDevice,
  type XdpMode,
} from '../kernel/device-link.ts';
import type { BpfLink } from '../kernel/link.ts';
import { type BpfMap, createMap } from '../kernel/map.ts';
import { openPinnedProgram, pin } from '../kernel/object.ts';
import { type BpfProgram, loadProgram } from '../kernel/program.ts';
import { VerifierError } from '../kernel/verifier-error.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { addConntrack, keepConntrack } from './conntrack.ts';
import { conntrackOfDevices } from './device-conntrack.ts';
import type { DevicePlan } from './device-plan.ts';
import {
  type DeviceLayout,
  deviceLayout,
  deviceLayouts,
  deviceRoot,
  generationInForce,
  generationsOf,
  openLink,
  removeDeviceGeneration,
  writeDeviceState,
} from './device-store.ts';
import { FirewallError } from './failure.ts';
import type { Layout } from './layout.ts';
import { needsOf } from './needs.ts';
import { readStateInForce } from './store.ts';

export interface PlannedDevice {
  readonly plan: DevicePlan;
  readonly index: number;
  readonly mode: XdpMode;
  readonly cpus: number;
}

interface Built {
  readonly planned: PlannedDevice;
  readonly device: DeviceLayout;
  readonly generation: number;
  readonly previous: number | undefined;
  readonly program: BpfProgram;
}

/** Puts policies on their devices, all or none. Answers what the administrator should know. Throws with the old ones in force. */
export function applyDevices(layout: Layout, planned: readonly PlannedDevice[]): readonly string[] {
  addConntrack(
    FAMILIES.filter((family) =>
      planned.some(({ plan }) => plan.families.some((item) => item.family === family && item.conntrack)),
    ),
  );
  const built: Built[] = [];
  const undo: (() => void)[] = [];
  try {
    for (const item of planned) built.push(build(layout, item));
    for (const item of built) undo.push(switchOver(item));
  } catch (error) {
    for (const back of undo.reverse()) back();
    for (const { device, generation } of built) removeDeviceGeneration(device, generation);
    for (const { device } of built) forgetIfEmpty(layout, device);
    settleConntrack(layout);
    throw error;
  } finally {
    for (const { program } of built) program.close();
  }
  for (const { device, previous } of built) if (previous !== undefined) removeDeviceGeneration(device, previous);
  settleConntrack(layout);
  return built.flatMap(strangers);
}

/** Loads everything beside what filters now, and removes what a killed apply left. */
function build(layout: Layout, planned: PlannedDevice): Built {
  const { plan, index, cpus } = planned;
  const device = deviceLayout(layout, plan.hook.kind, index);
  const previous = generationInForce(device);
  if (previous === undefined) {
    // A link that says nothing we know of hangs on a device that has gone.
    rmSync(device.link, { force: true });
  }
  const present = generationsOf(device);
  for (const number of present) if (number !== previous) removeDeviceGeneration(device, number);
  const generation = (present.at(-1) ?? 0) + 1;
  mkdirSync(device.generation(generation), { recursive: true, mode: 0o700 });
  try {
    const program = loadWithMaps(plan, device.generation(generation));
    const { counterStride } = plan.program;
    writeDeviceState(`${device.generation(generation)}/state`, {
      ...{ version: 1, hook: plan.hook, index, chain: plan.chain, families: plan.families, counterStride, cpus },
    });
    return { planned, device, generation, previous, program };
  } catch (error) {
    removeDeviceGeneration(device, generation);
    forgetIfEmpty(layout, device);
    throw error;
  }
}

function loadWithMaps(plan: DevicePlan, directory: string): BpfProgram {
  try {
    return loadPinned(plan.program, directory);
  } catch (error) {
    if (!(error instanceof VerifierError)) throw error;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { mode: 0o700 });
    return loadPinned(plan.fallback(), directory);
  }
}

function loadPinned({ program: spec, maps: specs }: DevicePlan['program'], directory: string): BpfProgram {
  const maps = new Map<string, BpfMap>();
  try {
    for (const item of specs) {
      const map = createMap(item);
      maps.set(item.name, map);
      pin(map.fd, `${directory}/${item.name}`);
    }
    const program = loadProgram(spec, maps);
    try {
      pin(program.fd, `${directory}/program`);
    } catch (error) {
      program.close();
      throw error;
    }
    return program;
  } finally {
    for (const map of maps.values()) map.close();
  }
}

/** The switch: from one packet to the next the new policy is in force. Answers how to go back. */
function switchOver({ planned, device, previous, program }: Built): () => void {
  const link = openLink(device);
  if (link === undefined || previous === undefined) {
    link?.close();
    const fresh = attach(planned, program);
    try {
      pin(fresh.fd, device.link);
    } catch (error) {
      fresh.detach();
      throw error;
    } finally {
      fresh.close();
    }
    return () => takeOff(device);
  }
  const old = openPinnedProgram(`${device.generation(previous)}/program`);
  try {
    exchangeProgram(link, program, old);
  } finally {
    link.close();
    old.close();
  }
  return () => {
    const again = openLink(device);
    const back = openPinnedProgram(`${device.generation(previous)}/program`);
    try {
      if (again !== undefined) exchangeProgram(again, back, program);
    } finally {
      again?.close();
      back.close();
    }
  };
}

const EXPLANATIONS = {
  occupied: 'it has an XDP program already (`ip link` and `bpftool net` show it), which stays',
  incapable: 'its driver cannot run XDP programs; --generic runs them behind the driver, at a higher price',
  gone: 'it is not there any more',
  refused: 'it refuses the program in its present configuration',
} as const satisfies Record<DeviceRefusal, string>;

function attach({ plan, index, mode }: PlannedDevice, program: BpfProgram): BpfLink {
  const attached = attachToDevice(program, plan.hook.kind, index, mode);
  if ('link' in attached) return attached.link;
  throw new FirewallError('failed', `${hookText(plan.hook)}: ${EXPLANATIONS[attached.refusal]}`, {
    cause: attached.cause,
  });
}

/** Programs of others at the same TC hook. */
function strangers({ planned: { plan, index }, program }: Built): readonly string[] {
  const { kind } = plan.hook;
  if (kind === 'xdp') return [];
  const ids = programsAtDevice(kind, index);
  const at = ids.indexOf(program.id);
  const [before, behind] = [ids.slice(0, at), ids.slice(at + 1)];
  return [
    ...(before.length === 0
      ? []
      : [`${hookText(plan.hook)}: programs ${before.join(', ')} run before these rules and can decide alone`]),
    ...(behind.length === 0 ? [] : [`${hookText(plan.hook)}: programs ${behind.join(', ')} run behind these rules`]),
  ];
}

/** Ends filtering at one hook and removes its pins. */
export function takeOff(device: DeviceLayout): void {
  const link = openLink(device);
  // The pin first: a kill between the two leaves no pin of a link that no longer filters.
  rmSync(device.link, { force: true });
  link?.detach();
  link?.close();
  for (const number of generationsOf(device)) removeDeviceGeneration(device, number);
  rmSync(device.root, { recursive: true, force: true });
}

/** Takes off every policy for which `wanted` holds; answers how many. */
export function flushDevices(layout: Layout, wanted: (device: DeviceLayout) => boolean = () => true): number {
  const devices = deviceLayouts(layout).filter(wanted);
  devices.forEach(takeOff);
  removeRootIfEmpty(layout);
  if (devices.length > 0) settleConntrack(layout);
  return devices.length;
}

function forgetIfEmpty(layout: Layout, device: DeviceLayout): void {
  if (openLinkExists(device) || generationsOf(device).length > 0) return;
  rmSync(device.root, { recursive: true, force: true });
  removeRootIfEmpty(layout);
}

function openLinkExists(device: DeviceLayout): boolean {
  const link = openLink(device);
  link?.close();
  return link !== undefined;
}

function removeRootIfEmpty(layout: Layout): void {
  try {
    rmdirSync(deviceRoot(layout));
  } catch {
    // It is not there, or other hooks have pins in it.
  }
}

/** Tracking goes on exactly for the families that rules somewhere ask about. */
function settleConntrack(layout: Layout): void {
  const state = readStateInForce(layout);
  const needed = new Set([...conntrackOfDevices(layout), ...(state === undefined ? [] : needsOf(state).conntrack)]);
  keepConntrack([...needed]);
}
