/** Rule sets that ask the kernel replace each other under traffic: no packet is lost between question and answer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withNamespace } from '../../../src/kernel/namespace.ts';
import { SOAKING } from '../../support/budget.ts';
import { run } from '../../support/command.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';
import { buildTopology } from '../../support/topology.ts';
import { FORBIDDEN_PORT, openTraffic, type Traffic } from './traffic.ts';
import { runBpfilter } from './victim.ts';

const APPLIES = SOAKING ? 100 : 4;
const CHAINS = ['INPUT', 'FORWARD', 'OUTPUT'] as const;
const IPSET = `create forbidden bitmap:port range 0-65535\nadd forbidden ${FORBIDDEN_PORT}\ncreate other bitmap:port range 0-9\n`;

/** Everything but the forbidden port passes because the kernel said no; a chain that nobody asked would drop it. */
function rules(...first: readonly string[]): string {
  return [
    '*filter',
    ...CHAINS.map((chain) => `:${chain} DROP [0:0]`),
    ...CHAINS.flatMap((chain) => first.map((rule) => `-A ${chain} ${rule}`)),
    ...CHAINS.map((chain) => `-A ${chain} -m set ! --match-set forbidden dst -j ACCEPT`),
    'COMMIT',
    '',
  ].join('\n');
}

suite('questions under traffic', DIFFERENTIAL, () => {
  it(
    `${APPLIES} applies: nothing leaks, nothing is lost`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'bfh-asking-'));
      const topology = buildTopology({ name: `bfh-${process.pid}-ask`, devices: ['eth0', 'eth1'] });
      const { namespace } = topology;
      let traffic: Traffic | undefined;
      let running = true;
      const texts = [
        rules(),
        rules('-m set --match-set other dst -j DROP', '-m set --match-set forbidden dst -j DROP'),
      ];
      const files = texts.map((text, index) =>
        ['v4', 'v6'].map((suffix) => {
          const path = join(folder, `rules${index}.${suffix}`);
          writeFileSync(path, text);
          return path;
        }),
      );
      const apply = (index: number) =>
        runBpfilter(['apply', '--wait', '10', '--netns', namespace, ...files[index % 2]!]);
      try {
        withNamespace(namespace, () => run('ipset', ['restore'], IPSET));
        expect(await apply(0)).toMatchObject({ status: 0 });
        traffic = openTraffic(topology);
        const { tally, round } = traffic;
        const forever = (): void => {
          if (!running) return;
          round();
          setImmediate(forever);
        };
        forever();
        // One family alone leaves the other's programs and questions as they are.
        for (let index = 1; index <= APPLIES; index++) {
          expect(await apply(index)).toMatchObject({ status: 0 });
          const alone = await runBpfilter([
            'apply',
            '--wait',
            '10',
            '--netns',
            namespace,
            files[index % 2]![index % 2]!,
          ]);
          expect(alone).toMatchObject({ status: 0 });
        }
        running = false;
        traffic.close();
        traffic = undefined;
        expect([...tally.leaks]).toEqual([]);
        expect(tally.passed.size).toBe(6);
        // Two packets of a round are seen leaving: the forwarded one and our own.
        for (const [path, passed] of tally.passed) {
          expect([path, passed]).toEqual([path, path.endsWith('sent') ? 2 * tally.rounds : tally.rounds]);
        }
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
