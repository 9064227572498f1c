/**
 * Bulk TCP with segmentation offload: packets of up to 64 KB, in pages instead of one linear buffer. How a stream is cut into
 * packets is never the same twice, so here both firewalls see the same packets: one after the other in one namespace, with
 * rules that only count.
 */
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { savedDifferences } from '../support/saved.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { streamByTcp, type Talk } from '../support/talk.ts';
import { buildTopology } from '../support/topology.ts';

const MEGABYTE = 1 << 20;

/** Rules whose answer depends on what is read where in a packet; none decides. */
const MATCHES = [
  '-m length --length 0:1500',
  '-m length --length 1501:65535',
  '-p tcp',
  '-p tcp -m tcp --tcp-flags SYN,RST,ACK,FIN SYN',
  '-p tcp -m tcp --tcp-flags PSH PSH',
  '-p tcp -m tcp --sport 1:5000',
  '-p tcp -m tcp --dport 5001',
  '-p tcp -m tcp --tcp-option 8',
  '-p tcp -m tcp ! --tcp-option 5',
  '-p tcp -m multiport --ports 5001,6001',
  '-m conntrack --ctstate NEW',
  '-m conntrack --ctstate ESTABLISHED',
  '-m conntrack --ctstate INVALID',
  '-m statistic --mode nth --every 7 --packet 0',
  '-m limit --limit 1/hour --limit-burst 50',
] as const;

function countingRules(): string {
  const chains = ['INPUT', 'FORWARD', 'OUTPUT'];
  const devices = ['-A INPUT -i eth0', '-A FORWARD -i eth0', '-A FORWARD -o eth1', '-A OUTPUT -o eth1'];
  const rules = [...chains.flatMap((chain) => MATCHES.map((match) => `-A ${chain} ${match}`)), ...devices];
  return ['*filter', ...chains.map((chain) => `:${chain} ACCEPT [0:0]`), ...rules, 'COMMIT', ''].join('\n');
}

const TALKS: Readonly<Record<string, Omit<Talk, 'family'>>> = {
  forwarded: { from: { place: 0, port: 6001 }, to: { place: 1, port: 5001 } },
  received: { from: { place: 0, port: 6002 }, to: { place: 'device', port: 5001 } },
  sent: { from: { place: 'device', port: 6003 }, to: { place: 1, port: 5001 } },
  'over lo': { from: { place: 'device', port: 6004 }, to: { place: 'device', port: 5002 }, loopback: true },
};

function countBoth(family: Family, gro: boolean): { differences: readonly string[]; large: number; arrived: unknown } {
  const topology = buildTopology({
    name: `bfh-${process.pid}-stream`,
    devices: ['eth0', 'eth1'],
    hosts: true,
    mtu: 1500,
  });
  const kernel = kernelFirewall.open(topology.namespace);
  const ours = bpfilterFirewall.open(topology.namespace);
  try {
    kernel.apply({ [family]: countingRules() });
    ours.apply({ [family]: countingRules() });
    if (gro) {
      for (const device of topology.devices) {
        withNamespace(topology.namespace, () => run('ethtool', ['-K', device.name, 'gro', 'on']));
      }
    }
    const arrived = Object.values(TALKS).map((talk) => streamByTcp(topology, { family, ...talk }, 4 * MEGABYTE));
    const saved = kernel.save(family);
    const large = [...saved.matchAll(/^\[(\d+):\d+\] .*--length 1501:65535/gm)].map(([, packets]) => Number(packets));
    return { differences: savedDifferences(saved, ours.save(family)), large: Math.min(...large), arrived };
  } finally {
    ours.close();
    topology.close();
  }
}

suite('bulk streams', DIFFERENTIAL, () => {
  const cases = FAMILIES.flatMap((family) => [false, true].map((gro) => [family, gro ? 'on' : 'off'] as const));

  it.each(cases)('%s with GRO %s: every rule counts every aggregate', (family, gro) => {
    const { differences, large, arrived } = countBoth(family, gro === 'on');
    expect(arrived).toEqual(Object.keys(TALKS).map(() => 4 * MEGABYTE));
    expect(large).toBeGreaterThan(0);
    expect(differences).toEqual([]);
  });
});
