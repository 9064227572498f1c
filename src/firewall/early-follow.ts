/** Early drop on devices that come and go after an apply: for a process that stays, and is told of every change (kernel/link-monitor.ts). */

import { networkDevices } from '../kernel/devices.ts';
import { readKernelFacts } from '../kernel/facts.ts';
import { wishedDevices } from './early-devices.ts';
import { hangOn, keepLinks, wishOf } from './early-links.ts';
import { earlyStubs } from './early-plan.ts';
import type { Layout } from './layout.ts';
import { openPersistentMaps, readStateInForce } from './store.ts';

/**
 * Hangs early drop on the devices that the last apply meant (`auto`, `eth+`, or a name that is there again) and takes it off all others. Call it
 * alone, in the namespace. Nothing to do: it does nothing. Answers what there is to say about devices that take none.
 */
export function followEarlyDevices(layout: Layout): readonly string[] {
  const state = readStateInForce(layout);
  const wish = wishOf(state);
  if (wish === undefined) return [];
  const maps = openPersistentMaps(layout);
  try {
    keepLinks(layout, state);
    return hangOn(layout, maps, earlyStubs(readKernelFacts()), wishedDevices(wish, networkDevices()), wish.mode);
  } finally {
    maps.close();
  }
}
