/**
 * The reference evaluator against the kernel's own tables: random rule sets in raw PREROUTING, packets made for them and the
 * fixed nasty ones sent in over a veth pair, one at a time, and every counter compared after each.
 *
 * Connection tracking is left out, because it would put fragments together before the table sees them.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPacketSocket, type PacketSocket } from '../../src/kernel/packet-socket.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { ethernet } from '../../src/packet/craft.ts';
import { describePacket } from '../../src/packet/describe.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import { createMemory } from '../../src/policy/memory.ts';
import { packetView } from '../../src/policy/packet-view.ts';
import { run } from '../support/command.ts';
import { suite } from '../support/suite.ts';
import {
  MATCH_NAMES,
  type MatchName,
  nastyPackets,
  packetsFor,
  policiesOf,
  randomRulesetText,
  UNIVERSE,
} from './index.ts';

const RULE_SETS = 25;
const PACKETS = 40;
/** No test with time is in these rule sets. */
const ANY_HZ = 250;

const PROGRAMS = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const satisfies Record<Family, string>;
const LOCK = { XTABLES_LOCKFILE: '/run/bfp.lock' };
const DEVICE = 'bfp-in';
const SENDER = 0x0200_0000_0001;
const ARRIVAL = '-A PREROUTING -m comment --comment arrival';
const WITHOUT: readonly MatchName[] = ['conntrack', 'state', 'connmark', 'limit', 'random', 'addrtype', 'owner'];

interface Site {
  readonly sender: PacketSocket;
  readonly mac: bigint;
  restore(family: Family, text: string): void;
  save(family: Family): string;
}

/** Two namespaces and a cable: no addresses, no routes, so that nothing but what we send is ever in the tables. */
function withSite(body: (site: Site) => void): void {
  const [here, there] = [`bfp-a-${process.pid}`, `bfp-b-${process.pid}`];
  run('ip', ['netns', 'add', here]);
  run('ip', ['netns', 'add', there]);
  let sender: PacketSocket | undefined;
  try {
    run('ip', ['-n', there, 'link', 'add', 'bfp-out', 'type', 'veth', 'peer', 'name', DEVICE, 'netns', here]);
    run('ip', ['-n', there, 'link', 'set', 'bfp-out', 'addrgenmode', 'none', 'up']);
    run('ip', ['-n', here, 'link', 'set', DEVICE, 'addrgenmode', 'none', 'up']);
    const ifindex = Number(run('ip', ['netns', 'exec', there, 'cat', '/sys/class/net/bfp-out/ifindex']));
    const mac = run('ip', ['netns', 'exec', here, 'cat', `/sys/class/net/${DEVICE}/address`]).trim();
    sender = withNamespace(there, () => openPacketSocket({ ifindex, protocol: 0 }));
    const inside = (args: readonly string[], input = ''): string =>
      run('ip', ['netns', 'exec', here, ...args], input, LOCK);
    body({
      sender,
      mac: BigInt(`0x${mac.replaceAll(':', '')}`),
      restore: (family, text) => void inside([`${PROGRAMS[family]}-restore`], text),
      save: (family) => inside([`${PROGRAMS[family]}-save`, '-c', '-t', 'raw']),
    });
  } finally {
    sender?.close();
    run('ip', ['netns', 'del', here]);
    run('ip', ['netns', 'del', there]);
  }
}

/** Packets and bytes of every rule and policy, in the order in which lowering numbers them. */
function countersOf(text: string, family: Family): readonly (readonly [packets: bigint, bytes: bigint])[] {
  const { ruleset } = parseRuleset({ name: 'save', text }, family);
  return ruleset!.tables[0]!.chains.flatMap((chain) =>
    [...chain.rules, ...(chain.policy === undefined ? [] : [chain])].map(
      ({ counters }) => [counters.packets, counters.bytes] as const,
    ),
  );
}

function packetsTo(policy: TablePolicy, seed: number): readonly Uint8Array[] {
  const made = packetsFor(policy, { nasty: false, limit: PACKETS / 2 })
    .filter(({ hook }) => hook === 'PREROUTING')
    .map(({ packet }) => packet.bytes);
  const nasty = nastyPackets(policy.family, { port: 22 });
  return [
    ...made,
    ...Array.from({ length: PACKETS / 2 }, (_, at) => nasty[(at * 7 + seed * 13) % nasty.length]!.bytes),
  ];
}

suite('the evaluator and the kernel agree on every counter', ['root', 'ip', 'iptables'], () => {
  test.each(FAMILIES)('%s', (family) => {
    const shape = {
      tables: ['raw'],
      memory: 'deterministic',
      matches: MATCH_NAMES.filter((name) => !WITHOUT.includes(name)),
      universe: { ...UNIVERSE[family], devices: [DEVICE, 'bfp-other'] },
    } as const;
    const seed = Number(process.env['BFP_SEED'] ?? 42);
    const count = Number(process.env['BFP_RULE_SETS'] ?? RULE_SETS);
    const sets = fc.sample(randomRulesetText(family, shape), { numRuns: count, seed });
    let arrived = 0;
    withSite(({ sender, mac, restore, save }) => {
      for (const [at, generated] of sets.entries()) {
        const text = generated.replace(/^(-A|COMMIT)/m, `${ARRIVAL}\n$1`);
        const [policy] = policiesOf(text, family);
        restore(family, text);
        const memory = createMemory(policy!, ANY_HZ);
        const arrival = policy!.chains[0]!.rules[0]!.counter;
        let before = countersOf(save(family), family);
        for (const bytes of packetsTo(policy!, at)) {
          sender.send(ethernet({ source: SENDER, destination: mac }, bytes));
          const after = countersOf(save(family), family);
          const delta = after.map(([packets, octets], slot) => [packets - before[slot]![0], octets - before[slot]![1]]);
          before = after;
          // Dropped before any table: a length or checksum that the stack itself refuses.
          if (delta[arrival]![0] === 0n) continue;
          arrived++;
          // The stack cuts off what the length in the header does not cover.
          const seen = bytes.subarray(0, Number(delta[arrival]![1]));
          const view = packetView({
            family,
            bytes: seen,
            in: { name: DEVICE, ifindex: 2 },
            mac: ethernet({ source: SENDER, destination: mac }, bytes).subarray(0, 14),
          });
          const { counted } = evaluate(policy!, 'PREROUTING', view, memory);
          const expected = after.map((_, slot) => {
            const times = BigInt(counted.filter((counter) => counter === slot).length);
            return [times, times * BigInt(seen.length)];
          });
          expect(delta, `${describePacket(seen, family)}\n${text}`).toEqual(expected);
        }
      }
    });
    expect(arrived).toBeGreaterThan((count * PACKETS) / 3);
  });
});
