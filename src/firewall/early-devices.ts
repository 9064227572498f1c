/** Which devices early drop is wanted on: by name, by the beginning of a name, or all that can. Pure. */

import type { NetworkDevice } from '../kernel/devices.ts';
import type { XdpMode } from '../kernel/xdp-link.ts';
import type { EarlyDevice } from './early-plan.ts';

/** As it was said, so that devices that come later can be compared with it. */
export interface EarlyWish {
  /** `auto`, names, or beginnings of names with `+` behind them, as iptables writes them. */
  readonly words: readonly string[];
  readonly mode: XdpMode;
}

/** Drivers that `auto` means: all others are asked for by name. */
const CERTAIN: ReadonlySet<string> = new Set(['veth']);

function means(word: string, name: string): boolean {
  return word.endsWith('+') ? name.startsWith(word.slice(0, -1)) : word === name;
}

/** The devices of those present that are meant. */
export function wishedDevices({ words }: EarlyWish, present: readonly NetworkDevice[]): readonly EarlyDevice[] {
  const auto = words.includes('auto');
  return present
    .filter(({ name, driver }) => (auto && CERTAIN.has(driver)) || words.some((word) => means(word, name)))
    .map(({ index, name, driver }) => ({ index, name, kind: driver === 'veth' ? 'veth' : 'other' }));
}

/** A name, not a pattern, that no device has. */
export function absentDevice({ words }: EarlyWish, present: readonly NetworkDevice[]): string | undefined {
  const names = words.filter((word) => word !== 'auto' && !word.endsWith('+'));
  return names.find((word) => !present.some(({ name }) => name === word));
}
