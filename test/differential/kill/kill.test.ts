/**
 * `bpfilter apply` killed at random instants under traffic: what both the old and the new rules drop never passes, and
 * whatever a killed apply leaves, the next apply or flush cleans.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withSession } from '../../../src/firewall/session.ts';
import { withNamespace } from '../../../src/kernel/namespace.ts';
import { SEED, SOAKING } from '../../support/budget.ts';
import { run } from '../../support/command.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';
import { buildTopology } from '../../support/topology.ts';
import { FORBIDDEN_PORT, openTraffic, type Traffic } from './traffic.ts';
import { runBpfilter } from './victim.ts';

/** The bar, and what fits into CI. */
const KILLS = SOAKING ? 200 : 30;
/** After so many kills in a row a whole apply, and after as many again a flush, must leave everything in order. */
const CHECK_EVERY = 5;

const CHAINS = ':INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n';
const DROPS = ['INPUT', 'FORWARD', 'OUTPUT'].map(
  (chain) => `-A ${chain} -p udp -m udp --dport ${FORBIDDEN_PORT} -j DROP`,
);

/** Few rules, the forbidden port first. */
const SMALL = `*filter\n${CHAINS}${DROPS.join('\n')}\nCOMMIT\n`;
/** An ipset that is there all the time and holds the forbidden port, for both families. */
const IPSET = `create forbidden bitmap:port range 0-65535\nadd forbidden ${FORBIDDEN_PORT}\n`;
/** Effects in front of the forbidden port, and behind it; the same in mangle. */
const EFFECTS = `*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -p udp -j MARK --set-xmark 0x7/0xff
-A OUTPUT -p udp -j MARK --set-xmark 0x7/0xff
-A PREROUTING -p udp -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff
COMMIT
*filter
${CHAINS}${['INPUT', 'FORWARD', 'OUTPUT']
  .map((chain) =>
    [
      `-A ${chain} -p udp -j MARK --set-xmark 0x100/0x100`,
      `-A ${chain} -p udp -m mark --mark 0x107/0x1ff -m udp --dport ${FORBIDDEN_PORT} -j DROP`,
      `-A ${chain} -p udp -m udp --dport ${FORBIDDEN_PORT} -j REJECT`,
      `-A ${chain} -p udp -j MARK --set-xmark 0x200/0x200`,
    ].join('\n'),
  )
  .join('\n')}
COMMIT
`;
/** The tables stay with the kernel: a rule asks for what one before it has changed. */
const kernelPlaced = (set: string, ask: string): string => `*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A FORWARD -p tcp -j ${set}
-A FORWARD -p tcp -m ${ask} 9
COMMIT
*filter
${CHAINS}${DROPS.join('\n')}
-A FORWARD -p tcp -j HMARK --hmark-tuple src --hmark-mod 2 --hmark-rnd 0x1
-A FORWARD -p tcp -m mark --mark 0x1
COMMIT
`;
/** Many rules in other tables and chains, connection tracking, REJECT, kernel tables, an ipset; the forbidden port behind a jump. */
const LARGE = `*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A FORWARD -p tcp -j MARK --set-xmark 0x1/0xffffffff
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 1 -j DROP
COMMIT
*filter
${CHAINS}:forbidden - [0:0]
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p udp -j forbidden
-A INPUT -p tcp -m tcp --dport 81 -j REJECT
-A FORWARD -p udp -j forbidden
-A FORWARD -p tcp -m tcp --dport 81 -j REJECT
-A OUTPUT -p udp -j forbidden
${Array.from({ length: 200 }, (_, index) => `-A forbidden -p udp -m udp --dport ${20000 + index} -j DROP`).join('\n')}
-A forbidden -p udp -m set --match-set forbidden dst -j DROP
COMMIT
`;

/** Numbers of the sets in the order of their applies. */
const TURNS = [0, 1, 2, 0, 3, 2, 2, 3, 1, 3, 0, 2, 1] as const;

/** A linear congruential generator: the same instants for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number(state >> 33n) / 2 ** 31;
  };
}

suite('bpfilter apply, killed', DIFFERENTIAL, () => {
  it(
    `at ${KILLS} instants: nothing leaks, nothing stays behind`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'bfh-kill-'));
      const topology = buildTopology({ name: `bfh-${process.pid}-kill`, devices: ['eth0', 'eth1'] });
      const { namespace } = topology;
      let traffic: Traffic | undefined;
      let running = true;
      const files = (name: string, text: string, text6 = text): readonly string[] =>
        ['v4', 'v6'].map((suffix) => {
          const path = join(folder, `${name}.${suffix}`);
          writeFileSync(path, suffix === 'v4' ? text : text6);
          return path;
        });
      // Each follows each other: programs, effects and kernel tables take turns in every order.
      const sets = [
        files('small', SMALL),
        files('large', LARGE),
        files('effects', EFFECTS),
        files('kernel', kernelPlaced('TTL --ttl-set 9', 'ttl --ttl-eq'), kernelPlaced('HL --hl-set 9', 'hl --hl-eq')),
      ];
      const apply = (index: number, killAfterMs?: number) =>
        runBpfilter(
          ['apply', '--wait', '10', '--netns', namespace, ...sets[TURNS[index % TURNS.length]!]!],
          killAfterMs,
        );
      try {
        withNamespace(namespace, () => run('ipset', ['restore'], IPSET));
        const first = await apply(0);
        expect(first).toMatchObject({ status: 0 });
        traffic = openTraffic(topology);
        const { tally } = traffic;
        const round = traffic.round;
        const forever = (): void => {
          if (!running) return;
          round();
          setImmediate(forever);
        };
        forever();
        const durations = [await apply(1), await apply(2), await apply(4), await apply(0)].map(
          ({ status, stderr, milliseconds }) => {
            expect(status, stderr).toBe(0);
            return milliseconds;
          },
        );
        const longest = Math.max(...durations) * 1.1;
        const random = randomNumbers(SEED);
        let killed = 0;
        for (let index = 1; killed < KILLS; index++) {
          const { status } = await apply(index, random() * longest);
          if (status === null) killed++;
          if (index % CHECK_EVERY === 0) {
            expect(await apply(index + 1)).toMatchObject({ status: 0 });
            expect(generationsOf(namespace)).toHaveLength(1);
          }
        }
        running = false;
        traffic.close();
        traffic = undefined;
        console.log(`${killed} kills within ${longest.toFixed(0)} ms, ${tally.rounds} rounds of traffic`);
        expect([...tally.leaks]).toEqual([]);
        expect([...tally.passed.keys()].sort()).toHaveLength(6);
        expect(await runBpfilter(['flush', '--netns', namespace])).toMatchObject({ status: 0 });
        expect(pinsOf(namespace)).toEqual([]);
        expect(withNamespace(namespace, () => run('nft', ['list', 'tables']))).not.toContain('bpfilter');
        for (const save of ['iptables-legacy-save', 'ip6tables-legacy-save'])
          expect(withNamespace(namespace, () => run(save, []))).not.toMatch(/^(-A|:BPFILTER|:\S+ DROP)/m);
      } finally {
        running = false;
        traffic?.close();
        await runBpfilter(['flush', '--netns', namespace]);
        topology.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    30 * 60_000,
  );
});

/** Names in the namespace's directory of pins. */
function pinsOf(namespace: string): readonly string[] {
  return withSession(namespace, ({ layout }) => {
    try {
      return readdirSync(layout.root);
    } catch {
      return [];
    }
  });
}

function generationsOf(namespace: string): readonly string[] {
  return pinsOf(namespace).filter((name) => name.startsWith('gen-'));
}
