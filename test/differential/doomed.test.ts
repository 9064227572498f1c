/** Packets that an inverted match takes for broken and lets its rule have nevertheless, against iptables: whatever the rule does. */
import { expect, it } from 'vitest';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { type Payload, sctp } from '../../src/packet/transport.ts';
import { policiesOf } from '../generate/policies.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { compare } from './bisect.ts';
import { ENDS } from './flows.ts';
import { FORWARD, frameAround, type Phase } from './stimulus.ts';

/** Behind the inverted match, each for a source port of its own: 1, 2, ... */
const FILTER = [
  '-j ACCEPT',
  '-j DROP',
  '-j RETURN',
  '',
  '-j LOG --log-prefix "broken "',
  '-j NFLOG --nflog-group 5',
  '-j REJECT',
  '-j below',
  '-g below',
  '-m length --length 0:40 -j ACCEPT',
  '-m length --length 0:1000 -j LOG',
  '-m statistic --mode nth --every 2 --packet 0 -j ACCEPT',
  '-m quota --quota 100 -j LOG',
  '-m sctp ! --chunk-types any INIT -j ACCEPT',
  '-m sctp --chunk-types any INIT -j ACCEPT',
] as const;
const MANGLE = [
  '-j MARK --set-mark 5',
  '-j CLASSIFY --set-class 1:2',
  '-j NFQUEUE --queue-num 3 --queue-bypass',
  '-j ACCEPT',
] as const;

function rules(actions: readonly string[]): readonly string[] {
  return [
    ...actions.map((action, at) =>
      `-A FORWARD -p sctp -m sctp --sport ${at + 1} ! --chunk-types any DATA:B ${action}`.trim(),
    ),
    // Half of the packets have been counted or asked before the one that says they are broken.
    '-A FORWARD -p sctp -m statistic --mode nth --every 2 --packet 1 -m sctp --sport 90 ! --chunk-types only SACK',
    '-A FORWARD -p sctp -m mark --mark 5',
    '-A FORWARD -p sctp -m comment --comment behind',
  ];
}

const TEXT = [
  '*mangle',
  ':FORWARD ACCEPT [0:0]',
  ...rules(MANGLE).map((rule) => rule.replace(/--sport (\d+) !/, (_, port) => `--sport ${Number(port) + 100} !`)),
  'COMMIT',
  '*filter',
  ':FORWARD ACCEPT [0:0]',
  ':below - [0:0]',
  ...rules(FILTER),
  '-A below -m comment --comment "nobody comes here broken"',
  'COMMIT',
  '',
].join('\n');

/** Chunks as bytes: whole, of no length, cut off inside of the header, none at all. */
const CHUNKS: readonly (readonly number[])[] = [
  [0, 2, 0, 8, 1, 2, 3, 4],
  [3, 0, 0, 4],
  [1, 0, 0, 0],
  [3, 0, 0, 4, 1, 0, 0, 0],
  [3, 0, 0, 4, 0, 2, 0],
  [0, 2, 0, 0],
  [],
];

function payloads(port: number): readonly Payload[] {
  return CHUNKS.map((bytes) => sctp({ source: port, destination: 22, data: Uint8Array.from(bytes) }));
}

function phases(family: Family): readonly Phase[] {
  const { client: source, server: destination } = ENDS[family];
  const ports = [...FILTER.map((_, at) => at + 1), 90, ...MANGLE.map((_, at) => at + 101), 190, 99];
  const packets = ports.flatMap((port) =>
    [...payloads(port), ...payloads(port)].map((payload) =>
      family === 'ipv4' ? ipv4({ source, destination, id: 1 }, payload) : ipv6({ source, destination }, payload),
    ),
  );
  const stimuli = packets.map(
    (packet) => ({ kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) }) as const,
  );
  return [{ path: FORWARD, stimuli }];
}

suite('broken packets that match', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: are counted, acted on and dropped', (family) => {
    policiesOf(TEXT, family);
    const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };
    expect(compare({ [family]: TEXT }, phases(family), options)).toBeUndefined();
  });
});
