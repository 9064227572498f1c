// npm run deb [-- FOLDER [--built]]: makes bpfilter_VERSION_ARCH.deb in FOLDER (default: the current one), of the sources or, with --built, of dist/ as it is.
// Needs dpkg-deb, nothing else of Debian.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version, description, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const HOME = 'usr/lib/bpfilter';

const run = (/** @type {string} */ program, /** @type {string[]} */ ...args) =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** Runtime dependencies that are installed here, the platform's own parts among them: folders of node_modules. */
function installedDependencies() {
  const found = new Set(run('npm', 'ls', '--omit=dev', '--all', '--parseable').trim().split('\n').slice(1));
  for (const name of Object.keys(dependencies)) {
    if (!found.has(join(root, 'node_modules', name))) throw new Error(`${name} is not installed: run npm ci`);
  }
  return [...found];
}

/** @param {string} stage */
function fill(stage) {
  const put = (/** @type {string} */ from, /** @type {string} */ to) =>
    cpSync(join(root, from), join(stage, to), { recursive: true });
  const write = (/** @type {string} */ to, /** @type {string | Buffer} */ content, mode = 0o644) => {
    mkdirSync(dirname(join(stage, to)), { recursive: true });
    writeFileSync(join(stage, to), content, { mode });
  };
  const link = (/** @type {string} */ to, /** @type {string} */ target) => {
    mkdirSync(dirname(join(stage, to)), { recursive: true });
    symlinkSync(relative(dirname(join(stage, to)), join(stage, target)), join(stage, to));
  };
  for (const item of ['bin', 'dist', 'examples', 'package.json']) put(item, `${HOME}/${item}`);
  put('packaging/load-rules', `${HOME}/load-rules`);
  for (const folder of installedDependencies()) put(relative(root, folder), join(HOME, relative(root, folder)));
  mkdirSync(join(stage, 'etc/bpfilter'), { recursive: true });
  for (const program of ['bpfilter', 'bpfilterd']) {
    if (!existsSync(join(root, 'bin', program))) continue;
    link(`usr/sbin/${program}`, `${HOME}/bin/${program}`);
    if (existsSync(join(root, `packaging/${program}.service`))) {
      put(`packaging/${program}.service`, `usr/lib/systemd/system/${program}.service`);
    }
  }
  const manual = run(process.execPath, join(root, 'scripts/man.mjs'));
  write('usr/share/man/man8/bpfilter.8.gz', gzipSync(manual, { level: 9 }));
  link('usr/share/man/man8/bpfilterd.8.gz', 'usr/share/man/man8/bpfilter.8.gz');
  const complete = (/** @type {string} */ shell) =>
    run(process.execPath, join(root, 'bin/bpfilter'), 'completion', shell);
  write('usr/share/bash-completion/completions/bpfilter', complete('bash'));
  write('usr/share/zsh/vendor-completions/_bpfilter', complete('zsh'));
  write('usr/share/fish/vendor_completions.d/bpfilter.fish', complete('fish'));
  for (const item of ['README.md', 'ARCHITECTURE.md', 'docs']) put(item, `usr/share/doc/bpfilter/${item}`);
  put('LICENSE', 'usr/share/doc/bpfilter/copyright');
}

/** @param {string} stage @param {string} architecture */
function describe(stage, architecture) {
  const kilobytes = run('du', '-sk', stage).split('\t')[0];
  mkdirSync(join(stage, 'DEBIAN'));
  writeFileSync(
    join(stage, 'DEBIAN/control'),
    `Package: bpfilter\nVersion: ${version}\nArchitecture: ${architecture}\nMaintainer: The bpfilter authors <bpfilter@localhost>\n` +
      `Installed-Size: ${kilobytes}\nSection: net\nPriority: optional\nDepends: nodejs (>= 20.19), libc6\nRecommends: iptables, nftables\n` +
      `Description: ${description}\n Reads the rules of iptables and runs them as verified, compiled programs, with the same\n` +
      ` verdicts and counters. Brings commands of the iptables family that take part in the\n choice of update-alternatives.\n`,
  );
  for (const script of ['postinst', 'prerm', 'postrm']) {
    cpSync(join(root, 'packaging/debian', script), join(stage, 'DEBIAN', script));
    chmodSync(join(stage, 'DEBIAN', script), 0o755);
  }
}

const folder = resolve(process.argv[2] ?? '.');
const work = mkdtempSync(join(tmpdir(), 'bpfilter-deb-'));
try {
  const stage = join(work, 'stage');
  mkdirSync(stage, { mode: 0o755 });
  if (!process.argv.includes('--built')) run(process.execPath, join(root, 'scripts/build.mjs'));
  fill(stage);
  run('chmod', '-R', 'u=rwX,go=rX', stage);
  const architecture = run('dpkg', '--print-architecture').trim();
  describe(stage, architecture);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `bpfilter_${version}_${architecture}.deb`);
  run('dpkg-deb', '--root-owner-group', '--build', stage, file);
  console.log(basename(file));
} finally {
  rmSync(work, { recursive: true, force: true });
}
