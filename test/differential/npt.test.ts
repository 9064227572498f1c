/** Prefixes exchanged by SNPT and DNPT, which refuse addresses that have no room for the checksum, against iptables. */
import { expect, it } from 'vitest';
import { ipv6 } from '../../src/packet/craft.ts';
import { tcp, udp } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { compare } from './bisect.ts';
import { ENDS } from './flows.ts';
import { outcomeOf } from './outcome.ts';
import { FORWARD, frameAround, INPUT, type Phase, type Stimulus } from './stimulus.ts';

const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };

/** Prefixes of each kind: the fourth word takes the checksum, or what is behind the prefix does. */
const LENGTHS = [
  [32, 48],
  [48, 48],
  [48, 49],
  [64, 48],
  [64, 64],
] as const;

/** For each source port a chain of its own: the target, and a rule behind it that counts what has not been dropped. */
function mangle(chain: string, target: '-j SNPT' | '-j DNPT', from: string): string {
  const ports = LENGTHS.map((lengths, at) => ({ lengths, port: at + 1 }));
  const rules = ports.flatMap(({ lengths: [source, destination], port }) => [
    `-A ${chain} -p udp -m udp --sport ${port} -g port${port}`,
    `-A port${port} ${target} --src-pfx ${from}::/${source} --dst-pfx 2001:db8:7::/${destination}`,
    `-A port${port} -j MARK --set-mark ${port}`,
  ]);
  const chains = ports.map(({ port }) => `:port${port} - [0:0]`);
  return ['*mangle', `:${chain} ACCEPT [0:0]`, ...chains, ...rules, `-A ${chain} -p udp`, 'COMMIT', ''].join('\n');
}

/** What a table behind sees: other addresses, other marks. */
function filter(chain: string): string {
  const rules = ['-s 2001:db8:7::/48', '-d 2001:db8:7::/48', ...LENGTHS.map((_, at) => `-m mark --mark ${at + 1}`)].map(
    (words) => `-A ${chain} ${words}`,
  );
  return ['*filter', `:${chain} ACCEPT [0:0]`, ...rules, 'COMMIT', ''].join('\n');
}

const IDENTIFIERS = [
  '0:0:0:1',
  'ffff:ffff:ffff:ffff',
  'ffff:ffff:ffff:fffe',
  'fffe:ffff:ffff:ffff',
  'ffff:ffff:0:ffff',
] as const;

/** Packets with such addresses on either side, from every port. */
function stimuli(source: (end: string) => string, destination: (end: string) => string): readonly Stimulus[] {
  return [...LENGTHS.keys(), LENGTHS.length].flatMap((at) =>
    IDENTIFIERS.flatMap((end) => {
      const address = { source: source(end), destination: destination(end) };
      const packets = [
        ipv6(address, udp({ source: at + 1, destination: 9 })),
        ipv6(address, tcp({ source: at + 1, destination: 9 })),
      ];
      return packets.map((packet) => ({ kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) }) as const);
    }),
  );
}

function expectEqual(text: string, phases: readonly Phase[]): void {
  const outcome = outcomeOf('npt', text, 'ipv6');
  expect(outcome.kind === 'applies' ? outcome.reasons : outcome.diagnostics).toEqual([]);
  expect(outcome.kind === 'applies' ? outcome.share.kernel : 1).toBe(0);
  expect(compare({ ipv6: text }, phases, options)).toBeUndefined();
}

suite('exchanged prefixes', DIFFERENTIAL, () => {
  const { client, server } = ENDS.ipv6;
  const fromAll = stimuli(
    (end) => `fdbf:0:0:0:${end}`,
    () => server,
  );

  it('of sources, on the way out', () => {
    expectEqual(mangle('POSTROUTING', '-j SNPT', 'fdbf') + filter('FORWARD'), [{ path: FORWARD, stimuli: fromAll }]);
  });

  it('of sources, on the way in', () => {
    const input = stimuli(
      (end) => `fdbf:0:0:0:${end}`,
      () => 'fdbf::1',
    );
    expectEqual(mangle('INPUT', '-j SNPT', 'fdbf') + filter('INPUT'), [{ path: INPUT, stimuli: input }]);
  });

  it('of destinations, before the route is chosen', () => {
    const toAll = stimuli(
      () => client,
      (end) => `fdbf:1:0:0:${end}`,
    );
    expectEqual(mangle('PREROUTING', '-j DNPT', 'fdbf:1') + filter('FORWARD'), [{ path: FORWARD, stimuli: toAll }]);
  });

  it('twice leave the table with the kernel: what the first makes decides the second', () => {
    const rule = '-A POSTROUTING -j SNPT --src-pfx fdbf::/64 --dst-pfx 2001:db8::/64';
    const text = `*mangle\n:POSTROUTING ACCEPT [0:0]\n${rule}\n${rule}\nCOMMIT\n`;
    const outcome = outcomeOf('npt', text, 'ipv6');
    expect(outcome.kind === 'applies' && outcome.share.kernel).toBe(2);
  });
});
