/**
 * The few values that generated rules and generated packets share, so that they meet often. Whoever sends the packets
 * through a real namespace puts its own addresses and devices here.
 */

import type { Family } from '../../src/packet/netfilter.ts';

export interface Universe {
  readonly family: Family;
  /** Numeric addresses of the family. */
  readonly addresses: readonly string[];
  readonly devices: readonly string[];
  readonly ports: readonly number[];
  readonly marks: readonly number[];
  /** Of `-m mac`. */
  readonly macs: readonly string[];
  readonly uids: readonly number[];
}

const SHARED = {
  devices: ['eth0', 'eth1', 'wg0', 'lo'],
  ports: [0, 1, 22, 53, 80, 443, 1024, 65535],
  marks: [0, 1, 2, 3, 0x80000000, 0xffffffff],
  macs: ['02:00:00:00:00:01', '02:00:00:00:00:02'],
  uids: [0, 1000, 1001],
} as const;

export const UNIVERSE = {
  ipv4: {
    family: 'ipv4',
    addresses: ['10.0.0.1', '10.0.0.2', '10.0.1.1', '192.0.2.1', '192.0.2.255', '255.255.255.255'],
    ...SHARED,
  },
  ipv6: {
    family: 'ipv6',
    addresses: ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1', 'fe80::1', '::1', 'ff02::1'],
    ...SHARED,
  },
} as const satisfies Record<Family, Universe>;
