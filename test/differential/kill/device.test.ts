/** `bpfilter apply --hook` killed at random instants under traffic: what both policies drop never passes, and nothing is left behind. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { deviceRoot } from '../../../src/firewall/device-store.ts';
import { withSession } from '../../../src/firewall/session.ts';
import { SOAKING } from '../../support/budget.ts';
import { buildSmallLab } from '../../support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';
import { runBpfilter } from './victim.ts';

const KILLS = SOAKING ? 100 : 12;
const FORBIDDEN = 7777;
const rules = (count: number): string => {
  const list = Array.from({ length: count }, (_, at) => `-A INPUT -s 10.9.${at >> 8}.${at & 255}/32 -j DROP`);
  return `*filter\n:INPUT ACCEPT [0:0]\n${list.join('\n')}\n-A INPUT -p udp -m udp --dport ${FORBIDDEN} -j DROP\nCOMMIT\n`;
};

suite('apply --hook is killed', DIFFERENTIAL, () => {
  it.each(['xdp', 'tc-ingress'] as const)('at %s, and the old or the new policy is in force', async (kind) => {
    const lab = buildSmallLab('wh-kill');
    const directory = mkdtempSync(join(tmpdir(), 'bpfilter-kill-'));
    const files = [rules(3), rules(300)].map((text, index) => {
      const file = join(directory, `${index}.v4`);
      writeFileSync(file, text);
      return file;
    });
    const listener = lab.listen(FORBIDDEN);
    try {
      const args = (index: number): string[] => [
        'apply',
        '--netns',
        lab.namespace,
        '--hook',
        `${kind}:f0`,
        files[index % 2]!,
      ];
      const whole = await runBpfilter(args(0));
      expect(whole.status, whole.stderr).toBe(0);
      for (let kill = 1; kill <= KILLS; kill++) {
        // Most of the time goes into starting: the later half is where things happen.
        const at = whole.milliseconds * (0.5 + (0.7 * kill) / KILLS);
        const ending = runBpfilter(args(kill), at);
        let over = false;
        void ending.then(() => {
          over = true;
        });
        do {
          lab.send(FORBIDDEN, 20);
          await new Promise((resolve) => setTimeout(resolve, 1));
        } while (!over);
        await ending;
        lab.send(FORBIDDEN, 20);
        expect(listener.receive()).toBeUndefined();
      }
      const last = await runBpfilter(args(1));
      expect(last.status, last.stderr).toBe(0);
      const saved = (await lab.bpfilter('save', '--hook', `${kind}:f0`)).stdout;
      expect(saved.split('\n').filter((line) => line.startsWith('-A'))).toHaveLength(301);
      expect((await lab.bpfilter('flush')).status).toBe(0);
      withSession(lab.namespace, ({ layout }) => expect(existsSync(deviceRoot(layout))).toBe(false));
      lab.send(FORBIDDEN, 1);
      expect(listener.receive()).toBeDefined();
    } finally {
      listener.close();
      await lab.close();
      rmSync(directory, { recursive: true });
    }
  });
});
