/**
 * Netfilter's own vocabulary: families, hooks, tables and their priorities, as the kernel numbers them.
 *
 * It lives in `packet/` because every layer above speaks it and it depends on nothing.
 */

export const FAMILIES = ['ipv4', 'ipv6'] as const;
export type Family = (typeof FAMILIES)[number];

/** `NFPROTO_*` (include/uapi/linux/netfilter.h). */
export const NFPROTO = { ipv4: 2, ipv6: 10 } as const satisfies Record<Family, number>;

export const HOOKS = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'] as const;
export type Hook = (typeof HOOKS)[number];

/** `enum nf_inet_hooks`. */
export const NF_INET_HOOK = {
  PREROUTING: 0,
  INPUT: 1,
  FORWARD: 2,
  OUTPUT: 3,
  POSTROUTING: 4,
} as const satisfies Record<Hook, number>;

export const TABLES = ['raw', 'mangle', 'nat', 'filter', 'security'] as const;
export type TableName = (typeof TABLES)[number];

/** The hooks on which a table has a built-in chain, and the priority it registers with. */
export const TABLE_HOOKS = {
  raw: { hooks: ['PREROUTING', 'OUTPUT'], priority: -300 },
  mangle: { hooks: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'], priority: -150 },
  nat: { hooks: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'], priority: -100 },
  filter: { hooks: ['INPUT', 'FORWARD', 'OUTPUT'], priority: 0 },
  security: { hooks: ['INPUT', 'FORWARD', 'OUTPUT'], priority: 50 },
} as const satisfies Record<TableName, { hooks: readonly Hook[]; priority: number }>;

export function isTableName(name: string): name is TableName {
  return (TABLES as readonly string[]).includes(name);
}

export function isHook(name: string): name is Hook {
  return (HOOKS as readonly string[]).includes(name);
}
