/**
 * Searching packets that the kernel holds in pieces: datagrams before they are cut into fragments (a list of buffers), after they were put
 * together again, and large ones in pages. Boyer-Moore does not find what lies across two pieces, so where they end shows. Both
 * firewalls see the same packets, with rules that only count.
 */
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openStackSocket } from '../../src/kernel/packet-socket.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { savedDifferences } from '../support/saved.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { addressOf, type Endpoint, type Talk } from '../support/talk.ts';
import { buildTopology, type Topology } from '../support/topology.ts';

/** What is looked for: long enough to lie across borders in many ways. */
const TEXT = 'needle in a haystack';
const MATCHES = [
  `-m string --string "${TEXT}" --algo bm`,
  `-m string --string "${TEXT}" --algo kmp`,
  '-m string --string stack --algo bm',
  `-m string --string "${TEXT}" --algo bm --from 1400 --to 1600`,
  `-m string --string "${TEXT}" --algo kmp --from 1400 --to 1600`,
  `-m string --string "${TEXT}" --algo bm --from 2000`,
  `-m string ! --string "${TEXT.toUpperCase()}" --algo bm --icase`,
  // So that fragments are put together before the rules see them.
  '-m conntrack --ctstate NEW',
];

function countingRules(): string {
  const chains = ['INPUT', 'FORWARD', 'OUTPUT'];
  const rules = chains.flatMap((chain) => MATCHES.map((match) => `-A ${chain} ${match}`));
  return ['*filter', ...chains.map((chain) => `:${chain} ACCEPT [0:0]`), ...rules, 'COMMIT', ''].join('\n');
}

const TALKS: readonly (Omit<Talk, 'family'> & { readonly sizes: readonly number[] })[] = [
  { from: { place: 'device', port: 6101 }, to: { place: 1, port: 5101 }, sizes: [1400, 3000, 4600] },
  { from: { place: 0, port: 6102 }, to: { place: 'device', port: 5102 }, sizes: [1400, 3000, 4600] },
  { from: { place: 0, port: 6103 }, to: { place: 1, port: 5103 }, sizes: [3000] },
  { from: { place: 'device', port: 6104 }, to: { place: 'device', port: 5104 }, loopback: true, sizes: [3000, 40_000] },
];

/** Where the text is put: round the borders of fragments and pages, and elsewhere. */
function places(size: number): readonly number[] {
  const borders = [0, 700, 1448, 1472, 2896, 2944, 4096, 8192, 16_384, 32_768, size];
  const near = borders.flatMap((border) =>
    [-64, -40, -28, -24, -21, -20, -19, -10, -8, -1, 0, 8].map((step) => border + step),
  );
  return [...new Set(near)].filter((at) => at >= 0 && at + TEXT.length <= size);
}

function sendAll(topology: Topology, family: Family): void {
  const text = new TextEncoder().encode(TEXT);
  for (const { sizes, ...rest } of TALKS) {
    const talk = { family, ...rest };
    const open = (end: Endpoint) => {
      const namespace = end.place === 'device' ? topology.namespace : topology.peers[end.place]!;
      const socket = withNamespace(namespace, () => openStackSocket(family, 'udp'));
      socket.bind(addressOf(talk, end), end.port);
      return socket;
    };
    const [from, to] = [open(talk.from), open(talk.to)];
    try {
      for (const size of sizes)
        for (const at of places(size)) {
          const data = new Uint8Array(size).fill(0x2e);
          data.set(text, at);
          from.sendTo(data, addressOf(talk, talk.to), talk.to.port);
          while (to.receive() !== undefined);
        }
    } finally {
      from.close();
      to.close();
    }
  }
}

suite('searching packets in pieces', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: both algorithms find what the kernel finds', (family) => {
    const topology = buildTopology({
      name: `bfh-${process.pid}-pieces`,
      devices: ['eth0', 'eth1'],
      hosts: true,
      mtu: 1500,
    });
    const kernel = kernelFirewall.open(topology.namespace);
    const ours = bpfilterFirewall.open(topology.namespace);
    try {
      kernel.apply({ [family]: countingRules() });
      ours.apply({ [family]: countingRules() });
      sendAll(topology, family);
      const saved = kernel.save(family);
      const found = (chain: string, algorithm: string): number =>
        Number(new RegExp(`^\\[(\\d+):\\d+\\] -A ${chain} .*"${TEXT}" --algo ${algorithm}$`, 'm').exec(saved)?.[1]);
      // There are packets in which only one of the algorithms finds the text.
      expect(found('OUTPUT', 'kmp')).toBeGreaterThan(found('OUTPUT', 'bm'));
      expect(found('INPUT', 'kmp')).toBeGreaterThan(found('INPUT', 'bm'));
      expect(found('FORWARD', 'kmp')).toBeGreaterThan(0);
      expect(savedDifferences(saved, ours.save(family))).toEqual([]);
    } finally {
      ours.close();
      topology.close();
    }
  });
});
