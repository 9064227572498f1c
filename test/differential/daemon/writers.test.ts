/** Many writers at once, through the daemon and past it, under traffic: every rule is there that should be, and no packet is counted twice or never. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SOAKING } from '../../support/budget.ts';
import { callLater, callProgram, makeNamespaces, startDaemon } from '../../support/daemon.ts';
import { type Installed, installCopy } from '../../support/installed.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';

const NAME = `bfdw${process.pid}`;
const PORT = 5555;
const WRITERS = 16;
const RULES = 200;
/** Programs that work without the daemon at the same time; each change of theirs is a new generation. */
const STRANGERS = SOAKING ? 40 : 5;
/** A table with look-ups, and one without. */
const TABLES = { many: 40, few: 3 } as const;

const textOf = (rules: number): string =>
  [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    `-A INPUT -p udp -m udp --dport ${PORT}`,
    ...Array.from({ length: rules }, (_, at) => `-A INPUT -s 10.200.${at}.0/24 -p tcp -m tcp --dport 7 -j DROP`),
    `-A OUTPUT -p udp -m udp --dport ${PORT}`,
    'COMMIT',
    '',
  ].join('\n');

/** Traffic over the loopback device of the namespace; the end tells how many packets were sent. */
function startSender(): () => Promise<number> {
  const script = join(import.meta.dirname, 'sender.mjs');
  const child = spawn('ip', ['netns', 'exec', NAME, process.execPath, script, String(PORT)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return () =>
    new Promise((resolve) => {
      child.on('close', () => resolve(Number(said)));
      child.stdin.end();
    });
}

suite('many writers', DIFFERENTIAL, () => {
  let installed: Installed;
  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${NAME}.lock`;
    installed = installCopy();
  });
  afterAll(() => {
    installed.close();
    delete process.env['XTABLES_LOCKFILE'];
  });

  const counted = (): readonly string[] =>
    callProgram(installed, NAME, ['iptables-save', '-c'], { BPFILTER_DAEMON: 'no' })
      .stdout.split('\n')
      .filter((line) => line.includes('-m udp'))
      .map((line) => line.replace(/^\[(\d+):.*/, '$1'));
  const rulesOf = (prefix: string): readonly string[] =>
    callProgram(installed, NAME, ['iptables', '-S', 'INPUT'], { BPFILTER_DAEMON: 'no' })
      .stdout.split('\n')
      .filter((line) => line.startsWith(`-A INPUT -s ${prefix}`))
      .map((line) => /-s (\S+)\/32/.exec(line)?.[1] ?? line)
      .sort();

  it.each(['many', 'few'] as const)(
    `${WRITERS} writers through the daemon and strangers beside it, %s rules`,
    { timeout: 900_000 },
    async (size) => {
      const clean = makeNamespaces(installed, [NAME]);
      const daemon = await startDaemon(installed, `/run/${NAME}`);
      const rules = size === 'many' ? RULES : 6;
      try {
        const restored = callProgram(installed, NAME, ['iptables-restore'], daemon.env, textOf(TABLES[size]));
        expect(restored).toMatchObject({ status: 0, stderr: '' });
        const stopSender = startSender();
        const root = join(installed.launcher, '..', '..');
        const writers = Array.from(
          { length: WRITERS },
          (_, at) =>
            new Promise<number | null>((done) => {
              const words = [join(import.meta.dirname, 'writer.mjs'), root, `10.9.${at}`, String(rules)];
              spawn('ip', ['netns', 'exec', NAME, process.execPath, ...words], {
                stdio: ['ignore', 'inherit', 'inherit'],
                env: { ...process.env, ...daemon.env },
              }).on('close', done);
            }),
        );
        for (let at = 0; at < STRANGERS; at++) {
          const words = ['iptables', '-w', '-A', 'INPUT', '-s', `10.8.0.${at}`, '-j', 'DROP'];
          expect(await callLater(installed, NAME, words, { BPFILTER_DAEMON: 'no' })).toEqual({ status: 0, stderr: '' });
        }
        expect(await Promise.all(writers)).toEqual(writers.map(() => 0));
        const sent = await stopSender();
        const left = Array.from({ length: WRITERS }, (_, writer) =>
          Array.from({ length: rules / 2 }, (_, at) => `10.9.${writer}.${2 * at}`),
        );
        expect(rulesOf('10.9.')).toEqual(left.flat().sort());
        expect(rulesOf('10.8.')).toHaveLength(STRANGERS);
        expect(sent).toBeGreaterThan(1000);
        expect(counted()).toEqual([String(sent), String(sent)]);
      } finally {
        await daemon.stop('SIGKILL');
        clean();
        rmSync(`/run/${NAME}`, { recursive: true, force: true });
      }
    },
  );
});
