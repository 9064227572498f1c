/** What hangs on devices, with live counters. */

import { MAP_NAMES } from '../codegen/compiled.ts';
import { hookText } from '../device/hook.ts';
import { networkDevices } from '../kernel/devices.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { Family } from '../packet/netfilter.ts';
import type { Ruleset } from '../rules/model.ts';
import { withLiveCounters } from './counters.ts';
import {
  type DeviceLayout,
  type DeviceState,
  deviceLayouts,
  generationInForce,
  readDeviceState,
} from './device-store.ts';
import { FirewallError } from './failure.ts';
import type { Layout } from './layout.ts';

export interface DeviceInForce {
  /** With the device's present name. */
  readonly hook: DeviceState['hook'];
  readonly index: number;
  readonly chain: DeviceState['chain'];
  readonly generation: number;
  readonly families: readonly { readonly family: Family; readonly ruleset: Ruleset }[];
}

export function readDevices(layout: Layout): readonly DeviceInForce[] {
  const layouts = deviceLayouts(layout);
  if (layouts.length === 0) return [];
  const names = new Map(networkDevices().map(({ index, name }) => [index, name]));
  return layouts.flatMap((device) => {
    const generation = generationInForce(device);
    if (generation === undefined) return [];
    const state = readDeviceState(device, generation);
    const hook = { ...state.hook, device: names.get(state.index) ?? state.hook.device };
    return [
      { hook, index: state.index, chain: state.chain, generation, families: readFamilies(device, generation, state) },
    ];
  });
}

function readFamilies(device: DeviceLayout, generation: number, state: DeviceState): DeviceInForce['families'] {
  const counters = readCounters(device, generation);
  return state.families.map(({ family, text, chains }) => {
    const { ruleset } = parseRuleset({ name: hookText(state.hook), text }, family);
    if (ruleset === undefined)
      throw new FirewallError('failed', `the rules of ${hookText(state.hook)} cannot be read back`);
    const tables = [{ placement: 'bpf' as const, name: state.chain.table, chains, hooks: [] }];
    return { family, ruleset: withLiveCounters(ruleset, { ...state, tables }, counters) };
  });
}

function readCounters(device: DeviceLayout, generation: number): Uint8Array {
  const map = openPinnedMap(`${device.generation(generation)}/${MAP_NAMES.counters}`);
  try {
    return map.readValue();
  } finally {
    map.close();
  }
}
