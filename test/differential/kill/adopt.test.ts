/**
 * `bpfilter adopt` and `bpfilter release` under traffic, whole and killed at random instants: what the rules drop never
 * passes, whoever filters.
 */

import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createRandom } from '../../language/random.ts';
import { SEED, SOAKING } from '../../support/budget.ts';
import { run } from '../../support/command.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';
import { buildTopology } from '../../support/topology.ts';
import { FORBIDDEN_PORT, openTraffic } from './traffic.ts';
import { runBpfilter } from './victim.ts';

const KILLS = SOAKING ? 100 : 8;

const CHAINS = ['INPUT', 'FORWARD', 'OUTPUT'];
const DROPS = CHAINS.map((chain) => `-A ${chain} -p udp -m udp --dport ${FORBIDDEN_PORT} -j DROP`);
const RULES = `*filter\n${CHAINS.map((chain) => `:${chain} ACCEPT [0:0]`).join('\n')}\n${DROPS.join('\n')}\nCOMMIT\n`;

suite('adopt and release under traffic', DIFFERENTIAL, () => {
  it(`never lets a forbidden packet through, over ${KILLS} kills`, { timeout: 60_000 + KILLS * 10_000 }, async () => {
    const name = `ab-kill${process.pid}`;
    process.env['XTABLES_LOCKFILE'] = `/run/${name}.lock`;
    const topology = buildTopology({ name, devices: ['eth0', 'eth1'] });
    try {
      for (const program of ['iptables-legacy-restore', 'ip6tables-legacy-restore'])
        run('ip', ['netns', 'exec', topology.namespace, program], RULES);
      const traffic = openTraffic(topology);
      const random = createRandom(SEED);
      const during = async (command: string, killAfterMs?: number) => {
        let done = false;
        const ending = runBpfilter([command, '--netns', topology.namespace, '-w', '10'], killAfterMs).finally(() => {
          done = true;
        });
        while (!done) {
          traffic.round();
          await new Promise((resolve) => setImmediate(resolve));
        }
        return ending;
      };
      try {
        for (let kill = 0; kill < KILLS; kill++) {
          for (const command of ['adopt', 'release']) {
            await during(command, 200 + random.below(1500));
            expect(await during(command)).toMatchObject({
              status: 0,
              stderr: expect.stringMatching(/^(bpfilter .*(nothing|no rules).*\n)?$/),
            });
          }
        }
        for (let at = 0; at < 20; at++) traffic.round();
      } finally {
        traffic.close();
      }
      expect([...traffic.tally.leaks]).toEqual([]);
      expect([...traffic.tally.passed.keys()].length).toBeGreaterThan(3);
    } finally {
      await runBpfilter(['flush', '--netns', topology.namespace]);
      topology.close();
      rmSync(`/run/${name}.lock`, { force: true });
      delete process.env['XTABLES_LOCKFILE'];
    }
  });
});
