/** The programs of the iptables family, all of which are this one by another name. */

import type { Family } from '../../packet/netfilter.ts';

export const PROGRAMS = {
  iptables: { family: 'ipv4', does: 'command' },
  ip6tables: { family: 'ipv6', does: 'command' },
  'iptables-save': { family: 'ipv4', does: 'save' },
  'ip6tables-save': { family: 'ipv6', does: 'save' },
  'iptables-restore': { family: 'ipv4', does: 'restore' },
  'ip6tables-restore': { family: 'ipv6', does: 'restore' },
} as const satisfies Record<string, { family: Family; does: 'command' | 'save' | 'restore' }>;

export type ProgramName = keyof typeof PROGRAMS;

export function isProgram(name: string): name is ProgramName {
  return Object.hasOwn(PROGRAMS, name);
}

/** The release of iptables whose behaviour this is; scripts look for it in `--version`. */
export const PROGRAM_VERSION = '1.8.9 (bpfilter)';
