/** rpfilter, which the kernel is asked in a table of its name, against iptables. */
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { tcp, udp } from '../../src/packet/transport.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { asking, DEVICES, packetOf, prepared } from './asking.ts';
import { nastyStimuli } from './nasties.ts';
import { table } from './staging.ts';
import { FORWARD, frameAround, INPUT, type Stimulus } from './stimulus.ts';
import { differences, runTwins, withTwins } from './twin.ts';

/** Beside the links' networks: one network behind the other link, one that only a mark leads to, one that leads nowhere. */
function routes(namespace: string, family: Family): void {
  const [behind, nowhere] = family === 'ipv4' ? ['10.66.0.0/16', '10.99.0.0/16'] : ['fd66::/32', 'fd99::/32'];
  const ip = (...words: readonly string[]): void => {
    withNamespace(namespace, () => run('ip', [family === 'ipv4' ? '-4' : '-6', ...words]));
  };
  ip('route', 'add', behind, 'dev', 'eth1');
  ip('route', 'add', 'unreachable', nowhere);
  ip('route', 'add', 'default', 'dev', 'eth0', 'table', '77');
  ip('rule', 'add', 'fwmark', '5', 'table', '77');
}

const SOURCES = {
  ipv4: [
    '10.200.0.50',
    '10.200.1.50',
    '10.200.0.1',
    '10.66.1.1',
    '10.99.0.1',
    '172.16.0.1',
    '0.0.0.0',
    '127.0.0.1',
    '255.255.255.255',
  ],
  ipv6: ['fdbf:0::50', 'fdbf:1::50', 'fdbf:0::1', 'fd66::1', 'fd99::1', '2001:db8::1', '::', '::1', 'fe80::1'],
} as const satisfies Record<Family, readonly string[]>;

const FLAGS = [
  '',
  ' --loose',
  ' --validmark',
  ' --accept-local',
  ' --loose --validmark',
  ' --loose --accept-local --validmark',
];

function stimuliOf(family: Family): readonly Stimulus[] {
  const destinations = family === 'ipv4' ? ['10.1.0.1', '10.200.1.9'] : ['fd01::1', 'fdbf:1::9'];
  return SOURCES[family].flatMap((source, at) =>
    destinations.flatMap((destination) =>
      [0, 1].flatMap((device) =>
        [undefined, 5].map((mark): Stimulus => {
          const payload = at % 2 === 0 ? tcp({ source: 1, destination: 80 }) : udp({ source: 1, destination: 53 });
          const link = mark === undefined ? {} : { source: Uint8Array.of(0x02, 0xbf, 0x6d, 0, 0, 5) };
          const frame = frameAround(packetOf(family, source, destination, payload), macOf(device), link);
          return { kind: 'frame', device, frame, ...(mark === undefined ? {} : { mark }) };
        }),
      ),
    ),
  );
}

suite('rpfilter', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: every option, in both tables', (family) => {
    const prepare = (namespace: string): void => routes(namespace, family);
    const options = { left: prepared(kernelFirewall, prepare), right: prepared(asking, prepare), devices: DEVICES };
    const matches = FLAGS.flatMap((flags) => [`-m rpfilter${flags}`, `-m rpfilter${flags} --invert`]);
    for (const name of ['raw', 'mangle'] as const) {
      const lines = [
        ':user - [0:0]',
        ...matches.map((match) => `-A PREROUTING ${match}`),
        '-A PREROUTING -p tcp -m rpfilter --loose -j user',
        '-A PREROUTING -m rpfilter --validmark --invert -j DROP',
        '-A user -m rpfilter --invert -m tcp -p tcp --dport 80 -j DROP',
      ];
      const stimuli = [...stimuliOf(family), ...nastyStimuli(1)];
      const phases = [
        { path: FORWARD, stimuli },
        { path: INPUT, stimuli },
      ];
      const [left, right] = runTwins({ [family]: table(lines, name) }, phases, options);
      expect(left.saved[family]).toMatch(/^\[[1-9]\d*:\d+\] -A PREROUTING -m rpfilter --validmark --invert -j DROP/m);
      expect(differences(left, right)).toEqual([]);
    }
  });

  it('nothing passes when somebody removes its table, and it goes with the rules', () => {
    const options = { left: noFirewall, right: asking, devices: DEVICES };
    withTwins({ ipv4: table(['-A PREROUTING -m rpfilter --invert -j DROP'], 'raw') }, options, (_, right) => {
      const { topology, firewall } = right;
      const nft = (...words: readonly string[]): string => withNamespace(topology.namespace, () => run('nft', words));
      topology.deliver({ kind: 'forward', shift: 1 });
      const [first] = stimuliOf('ipv4');
      right.send(first!);
      right.settle();
      const before = right.observe([]).delivered['forward4'];
      expect(before).toMatch(/^[1-9]/);
      expect(nft('list', 'tables')).toContain('table ip raw');
      nft('delete', 'table', 'ip', 'raw');
      right.send(first!);
      right.settle();
      expect(right.observe([]).delivered['forward4']).toBe(before);
      // Tables of that name that belong to somebody else stay as they are.
      nft('add', 'table', 'ip', 'raw');
      nft('add', 'chain', 'ip', 'raw', 'OTHER');
      firewall.apply({ ipv4: table(['-A PREROUTING -m rpfilter --invert -j DROP'], 'raw') });
      expect(nft('list', 'chains')).toMatch(/table ip mangle \{\s+chain bpfilter_asked/);
      right.send(first!);
      right.settle();
      expect(right.observe([]).delivered['forward4']).not.toBe(before);
      firewall.close();
      const left = nft('list', 'chains');
      expect(left).toContain('chain OTHER');
      expect(left).not.toContain('asked');
    });
  });
});

/** Nothing filters. */
const noFirewall: FirewallKind = {
  label: 'none',
  open: () => ({ apply: () => undefined, save: () => '', close: () => undefined }),
};
