/** Suites that need more than Node: counted as skipped, by name and with the reason, where they cannot run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { works } from './command.ts';

export const REPOSITORY = join(import.meta.dirname, '..', '..');
/** Test material kept beside the repository. */
export const SHARED = join(REPOSITORY, '..', 'shared');

/** What a suite may need, each with a test that says why it is missing. */
const NEEDS = {
  root: () => (process.getuid?.() === 0 ? undefined : 'needs root'),
  iptables: () => (works('iptables-legacy-save', ['--version']) ? undefined : 'needs iptables-legacy'),
  nft: () => (works('nft', ['--version']) ? undefined : 'needs nft'),
  ip: () => (works('ip', ['-V']) ? undefined : 'needs iproute2'),
  conntrack: () => (works('conntrack', ['--version']) ? undefined : 'needs conntrack'),
  btf: () => (existsSync('/sys/kernel/btf/vmlinux') ? undefined : 'needs a kernel with BTF'),
  shared: () => (existsSync(SHARED) ? undefined : 'needs the test material in ../shared'),
} as const;
export type Need = keyof typeof NEEDS;

const known = new Map<Need, string | undefined>();

/** Why the given needs are not met, or undefined when they are. */
export function missing(needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    if (!known.has(need)) known.set(need, NEEDS[need]());
    const reason = known.get(need);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** `describe` for a suite with needs; without them it is skipped and its name says why. */
export function suite(name: string, needs: readonly Need[], body: () => void): void {
  const reason = missing(needs);
  if (reason === undefined) describe(name, body);
  else describe.skip(`${name} (skipped: ${reason})`, body);
}

/** What the kernel-against-kernel comparisons need. */
export const NAMESPACES: readonly Need[] = ['root', 'ip', 'nft', 'iptables'];
/** What the comparisons of bpfilter with the kernel need. */
export const DIFFERENTIAL: readonly Need[] = [...NAMESPACES, 'btf'];
