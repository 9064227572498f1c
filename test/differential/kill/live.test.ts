/** A process that changes one rule after the other, killed: the old or the new rule is in force, and what `save` says is what runs. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openLiveFirewall } from '../../../src/firewall/live/live-firewall.ts';
import { withNamespace } from '../../../src/kernel/namespace.ts';
import { bpfilterFirewall } from '../../support/bpfilter-firewall.ts';
import { SEED, SOAKING } from '../../support/budget.ts';
import { ipBatch, run } from '../../support/command.ts';
import type { Firewall } from '../../support/firewalls.ts';
import { liveRuleOf } from '../../support/live-rules.ts';
import { DIFFERENTIAL, REPOSITORY, suite } from '../../support/suite.ts';

const KILLS = SOAKING ? 200 : 12;
/** The rule at this place is replaced again and again, by one that drops the next port. */
const PLACE = 20;
const FIRST = 20_000;
const RULES = Array.from({ length: 60 }, (_, i) => `-A INPUT -p udp -m udp --dport ${100 + i} -j DROP`);
const TEXT = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${RULES.toSpliced(PLACE, 0, portRule(FIRST - 1)).join('\n')}\nCOMMIT\n`;

function portRule(port: number): string {
  return `-A INPUT -p udp -m udp --dport ${port} -j DROP`;
}

/** Runs the victim until the rules are in force, and so long beyond that. Answers the number of the last change that it told. */
async function runVictim(namespace: string, file: string, killAfterMs: number): Promise<number> {
  const program = join(REPOSITORY, 'test', 'differential', 'kill', 'live-victim.mjs');
  const child = spawn(process.execPath, [program, namespace, file, String(FIRST)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [said, failed] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    failed += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
  });
  while (!said.includes('\n') && child.exitCode === null) await sleep(1);
  await sleep(killAfterMs);
  child.kill('SIGKILL');
  await ended;
  expect(failed).toBe('');
  expect(said).not.toContain('generation');
  return Number(said.trimEnd().split(/\s+/).at(-1));
}

/** The rules with their counters. */
function rulesOf(firewall: Firewall): readonly string[] {
  return firewall
    .save('ipv4')
    .split('\n')
    .filter((line) => line.includes(' -A INPUT '));
}

suite('changes of one rule, killed', DIFFERENTIAL, () => {
  it(
    `at ${KILLS} instants: the old rule or the new one`,
    async () => {
      const namespace = `bfh-${process.pid}-live`;
      const folder = mkdtempSync(join(tmpdir(), 'bfh-live-'));
      const file = join(folder, 'rules.v4');
      writeFileSync(file, TEXT);
      ipBatch([`netns add ${namespace}`]);
      const firewall = bpfilterFirewall.open(namespace);
      const send = (port: number): void => {
        withNamespace(namespace, () => run('bash', ['-c', `echo x >/dev/udp/127.0.0.1/${port}`]));
      };
      let state = SEED;
      const random = (below: number): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return (state / 2 ** 32) * below;
      };
      try {
        ipBatch(['link set lo up'], { namespace });
        for (let kill = 0; kill < KILLS; kill++) {
          const told = await runVictim(namespace, file, random(60));
          const rules = rulesOf(firewall);
          const found = Number(/--dport (\d+)/.exec(rules[PLACE]!)?.[1]);
          expect([told, told + 1]).toContain(found);
          expect(rules.map((line) => line.replace(/^\S+ /, ''))).toEqual(RULES.toSpliced(PLACE, 0, portRule(found)));
          for (const port of [found - 1, found, found, found + 1]) send(port);
          const counted = rulesOf(firewall).filter((line) => !line.startsWith('[0:0]'));
          expect(counted).toEqual([`[2:60] ${portRule(found)}`]);
          // Whoever comes next goes on from there.
          const live = openLiveFirewall({ family: 'ipv4', netns: namespace, waitSeconds: 10 });
          const added = '-p udp -m udp --dport 19999 -j DROP';
          const edit = {
            table: 'filter',
            chain: 'INPUT',
            at: PLACE,
            kind: 'insert',
            rule: liveRuleOf(added, 'ipv4'),
          } as const;
          live.change([edit]);
          live.close();
          expect(rulesOf(firewall).slice(PLACE, PLACE + 2)).toEqual([`[0:0] -A INPUT ${added}`, ...counted]);
        }
      } finally {
        firewall.close();
        ipBatch([`netns del ${namespace}`]);
        rmSync(folder, { recursive: true, force: true });
      }
    },
    10 * 60_000,
  );
});
