/** Random surroundings of packets: see EnvironmentView. */

import fc from 'fast-check';
import type { ConntrackExtrasView, EnvironmentView, XfrmStateView } from '../../src/policy/environment-view.ts';

const small = fc.constantFrom(0, 1, 2, 3, 7, 0x100, 0x8000_0000, 0xffff_ffff);
const count = fc.record({
  packets: fc.constantFrom(0n, 1n, 2n, 3n, 10n, 100n),
  bytes: fc.constantFrom(0n, 28n, 100n, 1000n, 100_000n, (1n << 63n) + 5n),
});
const port = fc.constantFrom('port0', 'port1', 'p', 'eth0');

const state: fc.Arbitrary<XfrmStateView> = fc.record({
  saddr: fc.constantFrom(0n, 0x0a000001n),
  daddr: fc.constantFrom(0n, 0x0a000002n),
  proto: fc.constantFrom(50, 51, 108),
  mode: fc.constantFrom(0, 1, 2),
  spi: small,
  reqid: small,
});
const states = fc.array(state, { maxLength: 6 });

/** Mostly nothing out of the ordinary. */
function seldom<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined, freq: 1 });
}

/** Whether there is a route decides what a route can say. */
export function surroundingsOf(routed: boolean): fc.Arbitrary<EnvironmentView> {
  return fc
    .record({
      seconds: seldom(fc.integer({ min: 86_400, max: 2_177_452_799 })),
      realm: routed ? seldom(small) : fc.constant(undefined),
      sender: seldom(fc.record({ classid: small })),
      xfrmIn: seldom(states),
      xfrmOut: routed ? seldom(states) : fc.constant(undefined),
      bridge: seldom(fc.record({ in: seldom(port), out: seldom(port) }).map(present)),
    })
    .map(present);
}

export const conntrackExtras: fc.Arbitrary<ConntrackExtrasView> = fc
  .record({
    counts: seldom(fc.record({ original: count, reply: count })),
    labels: seldom(fc.constantFrom(0n, 1n, 1n << 63n, 3n << 63n, 1n << 127n, (1n << 128n) - 1n)),
    helper: seldom(fc.constantFrom('ftp', 'tftp', 'a-name-of-15-by', 'ftp-21')),
  })
  .map(present);

/** Leaves out the members that are undefined. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
