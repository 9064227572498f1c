/** Source addresses made of Ethernet addresses, and all that nearly are, against iptables. */
import { expect, it } from 'vitest';
import { parseAddress } from '../../src/packet/address.ts';
import { ipv6 } from '../../src/packet/craft.ts';
import { tcp } from '../../src/packet/transport.ts';
import { policiesOf } from '../generate/policies.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { FORWARD, frameAround, INPUT, type Stimulus } from './stimulus.ts';
import { differences, runTwins } from './twin.ts';

const MAC = Uint8Array.of(0x02, 0x11, 0x22, 0x33, 0x44, 0x55);
const [IDENTIFIER, NETWORK] = ['0011:22ff:fe33:4455', 'fdbf:0:0:7'];

function table(name: string, chains: readonly string[]): string {
  const heads = chains.map((chain) => `:${chain} ACCEPT [0:0]`);
  const rules = chains.flatMap((chain) => [
    `-A ${chain} -m eui64`,
    `-A ${chain} -p tcp -m eui64`,
    ...(name === 'raw' ? [] : [`-A ${chain} -m eui64 -j DROP`]),
  ]);
  return [`*${name}`, ...heads, ...rules, 'COMMIT', ''].join('\n');
}

const RULES = table('raw', ['PREROUTING']) + table('filter', ['INPUT', 'FORWARD']);

/** A frame to `destination`; everything about it fits unless something else is said. */
function frame(
  destination: string,
  change: { identifier?: string; source?: Uint8Array; version?: number; offset?: number } = {},
): Stimulus {
  const { identifier = IDENTIFIER, source = MAC, version = 6, offset } = change;
  const extensions = offset === undefined ? [] : [{ kind: 'fragment', offset, id: 1 } as const];
  const address = parseAddress(`${NETWORK}:${identifier}`, 'ipv6')!;
  const bytes = ipv6({ source: address, destination, extensions }, tcp({ source: 1000, destination: 22 }));
  bytes[0] = (version << 4) | (bytes[0]! & 15);
  return { kind: 'frame', device: 0, frame: frameAround(bytes, macOf(0), { source, etherType: 0x86dd }) };
}

function stimuli(destination: string): readonly Stimulus[] {
  return [
    frame(destination),
    frame(destination, { offset: 0 }),
    frame(destination, { offset: 8 }),
    frame(destination, { version: 7 }),
    // The universal bit is turned over.
    frame(destination, { source: Uint8Array.of(0x00, ...MAC.subarray(1)) }),
    frame(destination, { source: Uint8Array.of(0x00, ...MAC.subarray(1)), identifier: '0211:22ff:fe33:4455' }),
    frame(destination, { identifier: '0211:22ff:fe33:4455' }),
    frame(destination, { identifier: '0011:22ff:ff33:4455' }),
    frame(destination, { identifier: '0011:22fe:fe33:4455' }),
    frame(destination, { identifier: '0011:23ff:fe33:4455' }),
    frame(destination, { identifier: '0011:22ff:fe33:4454' }),
    frame(destination, { source: Uint8Array.of(...MAC.subarray(0, 5), 0x56) }),
    frame(destination, { source: Uint8Array.of(...MAC.subarray(0, 3), 0x32, ...MAC.subarray(4)) }),
  ];
}

suite('addresses made of Ethernet addresses', DIFFERENTIAL, () => {
  it('fit or do not, in whole packets and in fragments', () => {
    policiesOf(RULES, 'ipv6');
    const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };
    const phases = [
      { path: INPUT, stimuli: stimuli('fdbf:0::1') },
      { path: FORWARD, stimuli: stimuli('fdbf:1::50') },
    ];
    const [left, right] = runTwins({ ipv6: RULES }, phases, options);
    expect(differences(left, right)).toEqual([]);
    const counted = left.saved.ipv6.split('\n').filter((line) => line.includes('eui64') && !line.startsWith('[0:0]'));
    expect(counted.length).toBeGreaterThan(4);
  });

  it('are not asked of what this machine sends to itself', () => {
    const rules = table('filter', ['INPUT']);
    const bytes = ipv6({ source: '::1', destination: '::1' }, tcp({ source: 1000, destination: 22 }));
    const stimulus: Stimulus = { kind: 'local', family: 'ipv6', packet: bytes };
    const [left, right] = runTwins({ ipv6: rules }, [{ path: INPUT, stimuli: [stimulus] }], {
      left: kernelFirewall,
      right: bpfilterFirewall,
      devices: ['eth0', 'eth1'],
    });
    expect(differences(left, right)).toEqual([]);
  });
});
