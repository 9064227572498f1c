/** Rule sets that suspend packets replace each other, and others, under traffic: no packet is lost on its way through them, and none leaks. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withSession } from '../../../src/firewall/session.ts';
import { withNamespace } from '../../../src/kernel/namespace.ts';
import { SOAKING } from '../../support/budget.ts';
import { run } from '../../support/command.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';
import { buildTopology } from '../../support/topology.ts';
import { FORBIDDEN_PORT, openTraffic, type Traffic } from './traffic.ts';
import { runBpfilter } from './victim.ts';

const APPLIES = SOAKING ? 100 : 6;
const KILLS = SOAKING ? 200 : 12;
const CHAINS = ['INPUT', 'FORWARD', 'OUTPUT'] as const;
const NEVER = '-m connlimit --connlimit-above 1000000 --connlimit-mask 0';
const ALWAYS = '-m connlimit --connlimit-upto 1000000 --connlimit-mask 0';

function table(policy: 'ACCEPT' | 'DROP', rules: readonly string[]): string {
  return [
    '*filter',
    ...CHAINS.map((chain) => `:${chain} ${policy} [0:0]`),
    ...CHAINS.flatMap((chain) => rules.map((rule) => `-A ${chain} ${rule}`)),
    'COMMIT',
    '',
  ].join('\n');
}

const port = `-m udp --dport ${FORBIDDEN_PORT}`;
const TEXTS = [
  // Nobody is suspended.
  table('ACCEPT', [`-p udp ${port} -j DROP`]),
  // Whoever is not asked about is dropped, twice.
  table('DROP', [`-p udp ${NEVER} -j ACCEPT`, `-p udp ${port} -j DROP`, `-p udp ${ALWAYS} -j ACCEPT`]),
  // The answers of the kernel, and its targets behind the questions.
  table('ACCEPT', [
    `-p udp ${NEVER} -j ACCEPT`,
    '-p udp -m udp --dport 1 -j MARK --set-xmark 0x1/0x1',
    `-p udp ${port} -j REJECT`,
  ]),
  table('ACCEPT', [`-p udp ${ALWAYS} ${port} -j REJECT`]),
];
/** Every one behind every other. */
const TURNS = [0, 1, 0, 2, 1, 3, 0, 3, 2, 2, 0, 1, 1, 2, 3, 1, 3, 3];

suite('suspended packets under traffic', DIFFERENTIAL, () => {
  it(
    `${APPLIES} applies and ${KILLS} kills`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'bfh-stages-'));
      const topology = buildTopology({ name: `bfh-${process.pid}-stages`, devices: ['eth0', 'eth1'] });
      const { namespace } = topology;
      let traffic: Traffic | undefined;
      let running = true;
      const files = TEXTS.map((text, index) =>
        ['v4', 'v6'].map((suffix) => {
          const path = join(folder, `rules${index}.${suffix}`);
          writeFileSync(path, text);
          return path;
        }),
      );
      const apply = (index: number, killAfterMs?: number) => {
        const turn = files[TURNS[index % TURNS.length]!]!;
        return runBpfilter(['apply', '--strict', '--wait', '10', '--netns', namespace, ...turn], killAfterMs);
      };
      try {
        expect(await apply(0)).toMatchObject({ status: 0, stderr: '' });
        traffic = openTraffic(topology);
        const { tally, round } = traffic;
        const forever = (): void => {
          if (!running) return;
          round();
          setImmediate(forever);
        };
        forever();
        let longest = 0;
        for (let index = 1; index <= APPLIES; index++) {
          const { status, stderr, milliseconds } = await apply(index);
          expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
          longest = Math.max(longest, milliseconds);
        }
        const settled = { rounds: tally.rounds, passed: new Map(tally.passed) };
        for (let index = APPLIES, killed = 0; killed < KILLS; index++) {
          const { status } = await apply(index + 1, longest * ((index * 0.618) % 1));
          if (status === null) killed++;
          if (index % 5 === 0) expect(await apply(index + 1)).toMatchObject({ status: 0 });
        }
        running = false;
        traffic.close();
        traffic = undefined;
        expect([...tally.leaks]).toEqual([]);
        expect(settled.passed.size).toBe(6);
        // Two packets of a round are seen leaving: the forwarded one and our own.
        for (const [path, passed] of settled.passed)
          expect([path, passed]).toEqual([path, path.endsWith('sent') ? 2 * settled.rounds : settled.rounds]);
        expect(await runBpfilter(['flush', '--netns', namespace])).toMatchObject({ status: 0 });
        expect(withSession(namespace, ({ layout }) => readdirSync(join(layout.root, '..')))).not.toContain(namespace);
        expect(withNamespace(namespace, () => run('nft', ['list', 'tables']))).not.toContain('bpfilter');
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
