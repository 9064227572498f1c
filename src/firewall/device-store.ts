/**
 * The pins of whole policies on devices:
 *
 *     <bpffs>/bpfilter/<network namespace cookie>-device/tc-ingress-3/      kind and index of the device
 *         link                                                               on the device
 *         gen-7/state  gen-7/program  gen-7/bf_counters ...                  what it runs
 *
 * The link says which generation is in force: the one whose program it has. So exchanging the link's program is the switch, one for both
 * families, and a kill at any instant leaves the old or the new rules in force.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type DeviceChain, type DeviceHook, hookText } from '../device/hook.ts';
import { deviceOfLink } from '../kernel/device-link.ts';
import type { BpfLink } from '../kernel/link.ts';
import { createMap } from '../kernel/map.ts';
import { openPinnedLink, openPinnedMap, openPinnedProgram, pin } from '../kernel/object.ts';
import { DEVICE_KINDS } from '../packet/device-kind.ts';
import type { DeviceFamily } from './device-plan.ts';
import { generationOf, type Layout } from './layout.ts';

/** What hangs on a device, beside its maps and its program. */
export interface DeviceState {
  readonly version: 1;
  /** With the device's name when it was applied. */
  readonly hook: DeviceHook;
  readonly index: number;
  readonly chain: DeviceChain;
  readonly families: readonly DeviceFamily[];
  readonly counterStride: number;
  readonly cpus: number;
}

/** Paths of one hook of one device. */
export interface DeviceLayout {
  readonly kind: DeviceHook['kind'];
  readonly index: number;
  readonly root: string;
  readonly link: string;
  generation(number: number): string;
}

export function deviceRoot(layout: Layout): string {
  return `${layout.root}-device`;
}

export function deviceLayout(layout: Layout, kind: DeviceHook['kind'], index: number): DeviceLayout {
  const root = `${deviceRoot(layout)}/${kind}-${index}`;
  return { kind, index, root, link: `${root}/link`, generation: (number) => `${root}/gen-${number}` };
}

/** Every hook that has pins, in the order of kinds and devices. */
export function deviceLayouts(layout: Layout): readonly DeviceLayout[] {
  const root = deviceRoot(layout);
  const names = existsSync(root) ? readdirSync(root) : [];
  return DEVICE_KINDS.flatMap((kind) =>
    names
      .filter((name) => name.startsWith(`${kind}-`) && /^\d+$/.test(name.slice(kind.length + 1)))
      .map((name) => Number(name.slice(kind.length + 1)))
      .sort((a, b) => a - b)
      .map((index) => deviceLayout(layout, kind, index)),
  );
}

/** The pinned link, open; undefined when there is none or its device has gone. */
export function openLink(device: DeviceLayout): BpfLink | undefined {
  if (!existsSync(device.link)) return undefined;
  const link = openPinnedLink(device.link);
  if (deviceOfLink(link, device.kind) === device.index) return link;
  link.close();
  return undefined;
}

export function generationsOf(device: DeviceLayout): readonly number[] {
  const names = existsSync(device.root) ? readdirSync(device.root) : [];
  return names.flatMap((name) => generationOf(name) ?? []).sort((a, b) => a - b);
}

/** Number of the generation in force; undefined: nothing filters there. */
export function generationInForce(device: DeviceLayout): number | undefined {
  const link = openLink(device);
  if (link === undefined) return undefined;
  try {
    return generationsOf(device).find((number) => programId(device, number) === link.programId);
  } finally {
    link.close();
  }
}

function programId(device: DeviceLayout, generation: number): number | undefined {
  const path = `${device.generation(generation)}/program`;
  if (!existsSync(path)) return undefined;
  const program = openPinnedProgram(path);
  program.close();
  return program.id;
}

export function removeDeviceGeneration(device: DeviceLayout, generation: number): void {
  rmSync(device.generation(generation), { recursive: true, force: true });
}

/** Value of the state's map: u32 length (little endian), then gzip of JSON. */
export function writeDeviceState(path: string, state: DeviceState): void {
  const body = gzipSync(JSON.stringify(state));
  const initial = Buffer.alloc(4 + body.length);
  initial.writeUInt32LE(body.length, 0);
  body.copy(initial, 4);
  const map = createMap({
    name: 'bf_state',
    type: 'array',
    keySize: 4,
    valueSize: initial.length,
    maxEntries: 1,
    initial,
  });
  try {
    pin(map.fd, path);
  } finally {
    map.close();
  }
}

/** The state of a generation. Throws when it cannot be read. */
export function readDeviceState(device: DeviceLayout, generation: number): DeviceState {
  const map = openPinnedMap(`${device.generation(generation)}/state`);
  try {
    const value = Buffer.from(map.readValue());
    const parsed: unknown = JSON.parse(gunzipSync(value.subarray(4, 4 + value.readUInt32LE(0))).toString('utf8'));
    if (isState(parsed)) return parsed;
    throw new Error(
      `the policy on ${device.kind} of device ${device.index} was put there by another version of bpfilter`,
    );
  } finally {
    map.close();
  }
}

function isState(value: unknown): value is DeviceState {
  return typeof value === 'object' && value !== null && 'version' in value && value.version === 1;
}

/** What hangs on which hook, for messages. */
export function deviceTitle({ hook, chain }: DeviceState): string {
  return `${hookText(hook)} ${chain.table} ${chain.hook}`;
}
