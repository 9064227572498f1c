import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Installed, installCopy } from '../../test/support/installed.ts';
import { buildSmallLab, type SmallLab } from '../../test/support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../../test/support/suite.ts';
import { layoutOf } from '../firewall/layout.ts';
import { bpffsRoot } from '../kernel/bpffs.ts';
import { namespaceCookie, withNamespace } from '../kernel/namespace.ts';

const NAME = `bffp${process.pid}`;

/** Both accept port 5000 and drop port 5001, in different ways. */
const OLD = `*filter
:INPUT ACCEPT [0:0]
-A INPUT -p udp -m udp --dport 5001 -j DROP
COMMIT
*nat
:OUTPUT ACCEPT [0:0]
-A OUTPUT -o old0
COMMIT
`;
const NEW = `*filter
:INPUT DROP [0:0]
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -p udp -m udp --dport 5000 -j ACCEPT
-A INPUT -p udp -m udp --dport 5001 -j REJECT --reject-with icmp-port-unreachable
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 5001 -j DROP
COMMIT
*nat
:OUTPUT ACCEPT [0:0]
-A OUTPUT -o new0
COMMIT
`;

/** Sends numbered datagrams to ports 5000 and 5001 until it is killed. */
const SENDER = `
const socket = require('node:dgram').createSocket('udp4');
let number = 0;
setInterval(() => {
  for (const port of [5001, 5000]) socket.send(Buffer.from(String(number)), port, '10.77.0.2');
  number++;
}, 1);
socket.on('error', () => {});
`;

suite('commands as processes', DIFFERENTIAL, () => {
  let lab: SmallLab;
  let installed: Installed;
  let directory: string;
  let files: { readonly old: string; readonly new: string };
  const netns = ['--netns', NAME];

  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${NAME}.lock`;
    directory = mkdtempSync(join(tmpdir(), 'bff-'));
    installed = installCopy();
    lab = buildSmallLab(NAME);
    files = { old: join(directory, 'old.v4'), new: join(directory, 'new.v4') };
    writeFileSync(files.old, OLD);
    writeFileSync(files.new, NEW);
  });
  beforeEach(() => {
    expect(installed.bpfilter(['flush', ...netns]).status).toBe(0);
  });
  afterAll(async () => {
    await lab?.close();
    installed?.close();
    rmSync(directory, { recursive: true, force: true });
    rmSync(`/run/${NAME}.lock`, { force: true });
  });

  it('inside ip netns exec the same rules are in force as with --netns', () => {
    const prefix = ['ip', 'netns', 'exec', NAME];
    expect(installed.bpfilter(['apply', '-'], { prefix, input: OLD })).toMatchObject({ status: 0, stderr: '' });
    const inside = installed.bpfilter(['save'], { prefix }).stdout;
    expect(inside).toContain('--dport 5001 -j DROP');
    expect(installed.bpfilter(['save', ...netns]).stdout).toBe(inside);
    expect(installed.bpfilter(['flush'], { prefix }).status).toBe(0);
    expect(installed.bpfilter(['save', ...netns]).stdout).toBe('');
  });

  it('a reader that goes away is no failure', () => {
    installed.bpfilter(['apply', ...netns, files.new]);
    const prefix = ['sh', '-c', '"$@" | true; exit 0', 'sh'];
    expect(installed.bpfilter(['list', ...netns], { prefix }).stderr).toBe('');
  });

  it('an interrupt ends monitor with status 0', async () => {
    const monitor = runAsync([installed.launcher, 'monitor', ...netns]);
    await pause(700);
    monitor.interrupt();
    expect(await monitor.status).toBe(0);
  });

  it('without privilege: check works, apply is refused with status 4', () => {
    const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    expect(installed.bpfilter(['check', '-p', '-'], { prefix, input: OLD })).toMatchObject({ status: 0, stderr: '' });
    const outcome = installed.bpfilter(['apply', '-'], { prefix, input: OLD });
    expect(outcome.status).toBe(4);
    expect(outcome.stdout).toBe('');
    expect(outcome.stderr).not.toMatch(/^ {4}at /m);
  });

  it('a switch under traffic lets nothing through and loses nothing', async () => {
    const open = lab.listen(5000);
    const closed = lab.listen(5001);
    installed.bpfilter(['apply', ...netns, files.old]);
    const sender = spawn('ip', ['netns', 'exec', lab.peer, process.execPath, '-e', SENDER], { stdio: 'ignore' });
    const received: number[] = [];
    try {
      for (let round = 0; round < 6; round++) {
        const running = runAsync([installed.launcher, 'apply', ...netns, round % 2 === 0 ? files.new : files.old]);
        while (!running.done()) {
          received.push(...drain(open));
          await pause(2);
        }
        expect(await running.status).toBe(0);
      }
      received.push(...drain(open));
    } finally {
      sender.kill('SIGKILL');
    }
    expect(drain(closed)).toEqual([]);
    expect(received.length).toBeGreaterThan(200);
    const first = received[0] ?? 0;
    expect(received).toEqual(received.map((_, at) => first + at));
    open.close();
    closed.close();
  });

  it('apply killed at any moment leaves old or new rules, and what it left goes with the next call', async () => {
    installed.bpfilter(['apply', ...netns, files.old]);
    const seen = new Set<string>();
    for (let round = 0; round < 16; round++) {
      const next = round % 2 === 0 ? files.new : files.old;
      const running = runAsync([installed.launcher, 'apply', ...netns, next]);
      await pause(100 + round * 20);
      running.kill();
      await running.status;
      const saved = installed.bpfilter(['save', '-t', 'filter', ...netns]).stdout;
      expect([filterOf(OLD), filterOf(NEW)]).toContain(saved.replace(/^:(FORWARD|OUTPUT) .*\n/gm, ''));
      seen.add(saved.includes('REJECT') ? 'new' : 'old');
    }
    expect(seen.size).toBeGreaterThan(0);
    expect(installed.bpfilter(['apply', ...netns, files.new]).status).toBe(0);
    const root = withNamespace(NAME, () => layoutOf(bpffsRoot(), namespaceCookie()).root);
    expect(readdirSync(root).filter((name) => name.startsWith('gen-'))).toHaveLength(1);
    expect(lab.inside('iptables-legacy-save', '-t', 'nat')).toContain('-o new0');
    expect(installed.bpfilter(['flush', ...netns]).status).toBe(0);
    expect(existsSync(root)).toBe(false);
    expect(lab.inside('nft', 'list', 'tables')).toBe('');
  });
});

/** The filter table of a rule set, as save prints it without the chains that it does not mention. */
function filterOf(text: string): string {
  return text.slice(0, text.indexOf('COMMIT') + 'COMMIT\n'.length);
}

function drain(socket: { receive(): Uint8Array | undefined }): number[] {
  const numbers: number[] = [];
  for (let data = socket.receive(); data !== undefined; data = socket.receive()) {
    numbers.push(Number(Buffer.from(data).toString('latin1')));
  }
  return numbers;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function runAsync(argv: readonly string[]) {
  const child = spawn(process.execPath, argv, { stdio: 'ignore' });
  let ended = false;
  const status = new Promise<number | null>((resolve) =>
    child.on('exit', (code) => {
      ended = true;
      resolve(code);
    }),
  );
  return {
    status,
    done: () => ended,
    kill: () => void child.kill('SIGKILL'),
    interrupt: () => void child.kill('SIGINT'),
  };
}
