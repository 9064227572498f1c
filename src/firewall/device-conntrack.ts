/** Connections that policies on devices look up have to be tracked. */

import { FAMILIES, type Family } from '../packet/netfilter.ts';
import { deviceLayouts, generationInForce, readDeviceState } from './device-store.ts';
import type { Layout } from './layout.ts';

/** Families whose connections a policy on a device looks up. */
export function conntrackOfDevices(layout: Layout): readonly Family[] {
  const families = deviceLayouts(layout).flatMap((device) => {
    const generation = generationInForce(device);
    return generation === undefined ? [] : readDeviceState(device, generation).families;
  });
  return FAMILIES.filter((family) => families.some((item) => item.family === family && item.conntrack));
}
