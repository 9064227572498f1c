/** The two sides of a comparison: the kernel's own iptables, and bpfilter, behind one interface. */
import { withNamespace } from '../../src/kernel/namespace.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { run } from './command.ts';

/** Restore text by family; a family that is absent is left alone. */
export type RuleSets = Readonly<Partial<Record<Family, string>>>;

/** A firewall in one namespace. */
export interface Firewall {
  /** Makes the given texts the whole policy of their families. Throws when they are refused. */
  apply(sets: RuleSets): void;
  /** What is in force with live counters, as `iptables-save -c` prints it, without comment lines. */
  save(family: Family): string;
  /** Takes everything down. The namespace may go right after it. */
  close(): void;
}

/** One side of a comparison. */
export interface FirewallKind {
  readonly label: string;
  open(namespace: string): Firewall;
}

const LEGACY = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const satisfies Record<Family, string>;
/** A lock of our own: the machine's firewall is not involved. */
const LOCK = { XTABLES_LOCKFILE: '/run/bpfilter-test.lock' };

/** The kernel's legacy iptables. */
export const kernelFirewall: FirewallKind = {
  label: 'iptables',
  open: (namespace) => ({
    apply(sets) {
      for (const [family, text] of Object.entries(sets) as [Family, string][]) {
        withNamespace(namespace, () => run(`${LEGACY[family]}-restore`, [], text, LOCK));
      }
    },
    save: (family) => stripComments(withNamespace(namespace, () => run(`${LEGACY[family]}-save`, ['-c'], '', LOCK))),
    close: () => {},
  }),
};

/** Save text without its `#` lines, which name the program and the time. */
export function stripComments(text: string): string {
  return text.replace(/^#.*\n/gm, '');
}
