/** Early drop on devices that come while nobody but the daemon is there. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callProgram, type Daemon, makeNamespaces, startDaemon } from '../../support/daemon.ts';
import { type Installed, installCopy } from '../../support/installed.ts';
import { DIFFERENTIAL, suite } from '../../support/suite.ts';

const NAME = `bfdd${process.pid}`;
const FOLDER = `/run/${NAME}`;

suite('the daemon and devices', DIFFERENTIAL, () => {
  let installed: Installed;
  let clean: () => void;
  let daemon: Daemon;
  beforeAll(async () => {
    installed = installCopy();
    clean = makeNamespaces(installed, [NAME]);
    daemon = await startDaemon(installed, FOLDER, NAME);
  });
  afterAll(async () => {
    await daemon.stop();
    clean();
    installed.close();
    rmSync(FOLDER, { recursive: true, force: true });
  });

  const link = (...words: readonly string[]): string =>
    execFileSync('ip', ['-n', NAME, 'link', ...words], { encoding: 'utf8' });
  const attached = (device: string): boolean => link('show', device).includes('prog/xdp');
  /** Waits for what comes about by itself. */
  const until = async (what: () => boolean): Promise<boolean> => {
    for (let tries = 0; tries < 100 && !what(); tries++) await sleep(50);
    return what();
  };

  it('are taken in as they come, and left alone when their name is another', async () => {
    const file = join(FOLDER, 'rules.v4');
    writeFileSync(file, '*raw\n-A PREROUTING -p udp -m udp --dport 7 -j DROP\nCOMMIT\n');
    link('add', 'e0', 'type', 'veth', 'peer', 'name', 'p0');
    const { status, stderr } = callProgram(installed, NAME, ['bpfilter', 'apply', '--xdp', 'e+', file]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    link('add', 'e1', 'type', 'veth', 'peer', 'name', 'p1');
    expect(await until(() => attached('e1'))).toBe(true);
    link('set', 'p1', 'name', 'e2');
    link('set', 'e1', 'name', 'p1');
    expect(await until(() => attached('e2') && !attached('p1'))).toBe(true);
    expect([attached('e0'), attached('p0')]).toEqual([true, false]);
    expect(daemon.stderr()).toBe('');
  });

  it('are forgotten by flush', async () => {
    expect(callProgram(installed, NAME, ['bpfilter', 'flush', '-w', '5']).status).toBe(0);
    link('add', 'e3', 'type', 'veth', 'peer', 'name', 'p3');
    await sleep(600);
    expect(['e0', 'e2', 'e3'].map(attached)).toEqual([false, false, false]);
  });
});
