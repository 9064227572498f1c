import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const NAMESPACE = `bfpk${process.pid}`;
const isRoot = process.getuid?.() === 0;

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

describe.runIf(isRoot)('the Debian package', () => {
  let folder = '';
  let parts: ReadonlyMap<string, readonly string[]> = new Map();
  let files: readonly string[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'bpfilter-package-'));
    run(process.execPath, join(ROOT, 'scripts/deb.mjs'), folder, '--built');
    const [name = ''] = readdirSync(folder).filter((item) => item.endsWith('.deb'));
    const deb = join(folder, name);
    files = listing(deb);
    run('ip', 'netns', 'add', NAMESPACE);
    run('ip', '-n', NAMESPACE, 'link', 'set', 'lo', 'up');
    const script = fileURLToPath(new URL('install.sh', import.meta.url));
    const work = mkdtempSync(join(folder, 'system-'));
    const inNamespace = ['netns', 'exec', NAMESPACE, 'unshare', '-m', '--propagation', 'private', 'bash'];
    parts = sections(run('ip', ...inNamespace, script, work, deb));
  });
  afterAll(() => {
    spawnSync(process.execPath, [join(ROOT, 'bin/bpfilter'), 'flush', '--netns', NAMESPACE]);
    spawnSync('ip', ['netns', 'del', NAMESPACE]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('holds programs, units, manual and completions, and no tests or sources of the build', () => {
    for (const file of [
      './usr/lib/bpfilter/dist/commands/main.js',
      './usr/sbin/bpfilter',
      './usr/lib/systemd/system/bpfilter.service',
      './usr/share/man/man8/bpfilter.8.gz',
      './usr/share/bash-completion/completions/bpfilter',
      './usr/share/zsh/vendor-completions/_bpfilter',
      './usr/share/fish/vendor_completions.d/bpfilter.fish',
      './usr/share/doc/bpfilter/copyright',
    ]) {
      expect(files).toContain(file);
    }
    expect(files.filter((file) => /vitest|typescript|\.test\.js/.test(file))).toEqual([]);
  });

  it('takes part in the choice of iptables behind the distribution, which goes on as before', () => {
    const installed = parts.get('installed')?.join('\n');
    expect(installed).toMatch(/^bpfilter \d+\.\d+\.\d+\nStatus: auto\nValue: \/usr\/sbin\/iptables-(nft|legacy)\n/);
    expect(installed).toMatch(
      /Alternative: \/usr\/lib\/bpfilter\/bin\/iptables Priority: 5 .*iptables-restore .*iptables-save/,
    );
    expect(installed).toMatch(/\n1$/);
  });

  it('has units that systemd finds nothing wrong with', () => expect(parts.get('units')).toEqual([]));

  it('loads rules at boot, and is iptables when it is chosen', () => {
    expect(parts.get('loaded')).toEqual([
      'iptables v1.8.9 (bpfilter)',
      '-P INPUT DROP',
      '-P FORWARD ACCEPT',
      '-P OUTPUT ACCEPT',
      '-A INPUT -s 127.0.0.1/32 -i lo -j ACCEPT',
    ]);
  });

  it('is upgraded with rules, counters and choice as they were', () => {
    expect(parts.get('upgraded')?.[0]).toMatch(/^\[[1-9]\d*:\d+\] -A INPUT -s 127\.0\.0\.1\/32 -i lo -j ACCEPT$/);
    expect(parts.get('upgraded')?.[1]).toBe('Value: /usr/lib/bpfilter/bin/iptables');
  });

  it('leaves the rules in force when the file is faulty', () => {
    expect(parts.get('faulty rules')).toEqual([
      'status 2',
      '-P INPUT DROP',
      '-A INPUT -s 127.0.0.1/32 -i lo -j ACCEPT',
    ]);
  });

  it('leaves the same rules to the kernel when it is removed, and the files of rules where they are', () => {
    const removed = parts.get('removed') ?? [];
    expect(removed.slice(0, 2).join()).toMatch(/^Status: auto,Value: \/usr\/sbin\/iptables-/);
    expect(removed[2]).toMatch(/^:INPUT DROP/);
    expect(removed[3]).toMatch(/^\[[1-9]\d*:\d+\] -A INPUT -s 127\.0\.0\.1\/32 -i lo -j ACCEPT$/);
    expect(removed.slice(4)).toEqual(['rules.v4', '0']);
  });
});

describe('the npm package', () => {
  it('holds what runs and nothing of the tests', () => {
    const [packed] = JSON.parse(run('npm', 'pack', '--dry-run', '--json', '--ignore-scripts')) as [
      { readonly files: readonly { readonly path: string }[] },
    ];
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
      'bin/bpfilter',
      'bin/iptables-restore',
      'dist/commands/main.js',
      'docs/commands.md',
      'LICENSE',
    ]) {
      expect(paths).toContain(path);
    }
    expect(paths.filter((path) => /^(test|src|bench)\//.test(path) || /\.test\.js$/.test(path))).toEqual([]);
  });
});

function listing(deb: string): readonly string[] {
  return run('dpkg-deb', '--contents', deb)
    .split('\n')
    .map((line) => line.split(/\s+/)[5] ?? '');
}

/** Lines under each "== name". */
function sections(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text
      .split(/^== /m)
      .slice(1)
      .map((part) => {
        const [name = '', ...lines] = part.split('\n');
        return [name, lines.map((line) => line.trimEnd()).filter((line) => line !== '')];
      }),
  );
}
