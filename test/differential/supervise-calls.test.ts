/** Table calls with wrong lengths, wrong sizes, unknown names and unreadable memory: under supervision the error numbers are the kernel's. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import { type Installed, installCopy } from '../support/installed.ts';
import { DIFFERENTIAL, REPOSITORY, suite } from '../support/suite.ts';

const PREFIX = `bfsc${process.pid}`;
const [OURS, THEIRS] = [`${PREFIX}a`, `${PREFIX}b`];
const CALLS = join(REPOSITORY, 'test', 'differential', 'supervise-calls.py');
/** Long enough for programs to take over before a call that changes rules. */
const WAIT = '0.25';
const RULES = ['-s 10.1.1.1 -j DROP', '-p tcp -m tcp --dport 22 -j ACCEPT', '-s 10.1.1.2 -j DROP'];

suite('table calls under supervision', DIFFERENTIAL, () => {
  let installed: Installed;
  const execute = (
    namespace: string,
    argv: readonly string[],
  ): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => {
    const { status, stdout, stderr } = spawnSync('ip', ['netns', 'exec', namespace, ...argv], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, XTABLES_LOCKFILE: `/run/${namespace}.lock` },
    });
    return { status, stdout, stderr };
  };
  const supervised = (...words: readonly string[]): ReturnType<typeof execute> =>
    execute(OURS, [process.execPath, installed.launcher, 'supervise', ...words]);

  beforeAll(() => {
    installed = installCopy();
    for (const name of [OURS, THEIRS]) run('ip', ['netns', 'add', name]);
  });
  afterAll(() => {
    execute(OURS, [process.execPath, installed.launcher, 'flush']);
    for (const name of [OURS, THEIRS]) {
      spawnSync('ip', ['netns', 'del', name]);
      rmSync(`/run/${name}.lock`, { force: true });
    }
    installed.close();
  });

  it('whatever is wrong with a call, it fails as before', () => {
    const setUp = RULES.map((rule) => `iptables-legacy -A INPUT ${rule}`).join(' && ');
    expect(execute(THEIRS, ['sh', '-c', setUp]).status).toBe(0);
    expect(supervised('--', 'sh', '-c', setUp).status).toBe(0);
    const theirs = execute(THEIRS, ['python3', CALLS, '0']);
    expect(theirs.stderr).toBe('');
    const ours = supervised('-v', '--settle', '20', '--', 'python3', CALLS, WAIT);
    expect(ours.stdout.split('\n')).toEqual(theirs.stdout.split('\n'));
    expect(ours.status).toBe(0);
    // They were not all the kernel's own answers.
    expect(ours.stderr.match(/given back/g)?.length).toBeGreaterThan(10);
    expect(theirs.stdout.match(/ E[A-Z]+$/gm)?.length).toBeGreaterThan(200);
  });
});
