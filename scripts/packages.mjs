// The Debian packages that the kernel suites compare against. Installs what is missing when it may.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Program to the Debian package that brings it. */
const PROGRAMS = {
  'iptables-legacy-restore': 'iptables',
  nft: 'nftables',
  ip: 'iproute2',
  conntrack: 'conntrack',
  tcpdump: 'tcpdump',
  ethtool: 'ethtool',
  zsh: 'zsh',
  fish: 'fish',
};

/** @param {string} program */
function isInstalled(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Names of the packages whose programs are missing. */
export function missingPackages() {
  const missing = Object.entries(PROGRAMS).filter(([program]) => !isInstalled(program));
  return [...new Set(missing.map(([, name]) => name))];
}

/** Installs missing packages with apt-get when run as root; says what stays missing. Never fails. */
export function installPackages() {
  const wanted = missingPackages();
  if (wanted.length === 0) return;
  if (process.getuid?.() !== 0 || !isInstalled('apt-get')) {
    console.log(`not installed: ${wanted.join(', ')} (needs root and apt-get); the suites that need them are skipped`);
    return;
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (/** @type {string[]} */ ...args) => spawnSync('apt-get', ['-q', ...args], { env, stdio: 'inherit' });
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...wanted);
  const still = missingPackages();
  if (still.length > 0) console.log(`could not install: ${still.join(', ')}; the suites that need them are skipped`);
}
