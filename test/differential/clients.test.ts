/** Programs that manage firewalls for people, unchanged: on iptables-legacy alone, and under `bpfilter supervise`. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run, works } from '../support/command.ts';
import { type Installed, installCopy } from '../support/installed.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const CLIENTS = [
  { client: 'ufw', asks: ['version'] },
  { client: 'fail2ban', program: 'fail2ban-client', asks: ['--version'] },
  { client: 'ferm', asks: ['--version'] },
] as const;
const PREFIX = `bfcl${process.pid}`;
const [OURS, THEIRS] = [`${PREFIX}a`, `${PREFIX}b`];
const SCRIPTS = join(import.meta.dirname, 'clients');

/** Without what says when it was, and what the supervisor says. */
function comparable(text: string): string {
  return text
    .replaceAll(/^bpfilter supervise: .*\n/gm, '')
    .replaceAll(/\d{8}_\d{6}/g, 'TIME')
    .replaceAll(/^\d{4}-\d\d-\d\d .*\n/gm, '');
}

suite('clients of iptables', DIFFERENTIAL, () => {
  let installed: Installed;
  const execute = (namespace: string, client: string, prefix: readonly string[]): string => {
    const world = `/tmp/${namespace}`;
    const argv = ['netns', 'exec', namespace, 'unshare', '-m', 'sh', join(SCRIPTS, 'world.sh'), world, ...prefix];
    const command = `sh ${join(SCRIPTS, `${client}.sh`)} 2>&1`;
    const env = { ...process.env, PAUSE: '1' };
    const { stdout, stderr } = spawnSync('ip', [...argv, 'sh', '-c', command], { encoding: 'utf8', env });
    return comparable(stdout + stderr);
  };

  beforeAll(() => {
    installed = installCopy();
  });
  beforeEach(() => {
    for (const name of [OURS, THEIRS]) {
      run('ip', ['netns', 'add', name]);
      run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    }
  });
  afterEach(() => {
    installed.bpfilter(['flush'], { prefix: ['ip', 'netns', 'exec', OURS] });
    for (const name of [OURS, THEIRS]) {
      spawnSync('ip', ['netns', 'del', name]);
      rmSync(`/tmp/${name}`, { recursive: true, force: true });
    }
  });
  afterAll(() => installed.close());

  for (const { client, asks, ...more } of CLIENTS) {
    const there = works('program' in more ? more.program : client, asks);
    const title = there ? client : `${client} (skipped: it is not installed)`;
    (there ? describe : describe.skip)(title, () => {
      it('does and says the same', () => {
        const theirs = execute(THEIRS, client, []);
        expect(theirs).toContain('*filter');
        expect(execute(OURS, client, [process.execPath, installed.launcher, 'supervise', '-v', '--'])).toBe(theirs);
      });
    });
  }
});
