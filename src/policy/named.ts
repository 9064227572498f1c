/**
 * Tables that rules share by name: the lists of `recent` (one set of names for the whole network namespace, both families and
 * all tables) and the tables of `hashlimit` (one set of names for each family).
 *
 * Such a table is made by the first rule that names it, with what that rule says, and lives on as it is while any rule names it,
 * through every replacement of the rules (recent_mt_check, hashlimit_mt_check_common).
 */

import type { Family } from '../packet/netfilter.ts';
import { type HashlimitTable, sameKind, sizedTable } from './hashlimit.ts';
import type { StateObject, TablePolicy } from './ir.ts';
import { ringSize } from './recent.ts';

/** Plain data that JSON can hold, since it is kept as long as the table. */
export type NamedTable =
  | {
      readonly kind: 'recent';
      readonly name: string;
      /** 32 hexadecimal digits; IPv4 addresses meet the first 8. */
      readonly mask: string;
      /** How many times of an address are remembered, a power of two. */
      readonly ring: number;
      /** How many addresses. */
      readonly entries: number;
    }
  | {
      readonly kind: 'hashlimit';
      readonly name: string;
      readonly family: Family;
      readonly table: HashlimitTable;
    };

/** What the kernel's modules would use: parameters of xt_recent, and a size that depends on the memory. */
export interface NamedFacts {
  /** ip_list_tot of xt_recent. */
  readonly recentEntries: number;
  /** ip_pkt_list_tot of xt_recent; 0: 32, or what hit counts need. */
  readonly recentStamps: number;
  /** Buckets of a hashlimit table that does not say how many. */
  readonly hashlimitBuckets: number;
}

export const USUAL_NAMED_FACTS: NamedFacts = Object.freeze({
  recentEntries: 100,
  recentStamps: 0,
  hashlimitBuckets: 8192,
});

export interface ResolvedNames {
  /** Every table that the policies name, in the order in which they come up. */
  readonly tables: readonly NamedTable[];
  /** For each policy and each of its states the table behind it, undefined where there is none. */
  readonly behind: readonly (readonly (NamedTable | undefined)[])[];
  /** Keys (tableKey) of the lists that had to be emptied because a rule asks for more times than they held. */
  readonly emptied: ReadonlySet<string>;
}

/** Two tables are the same one if their keys are equal. */
export function tableKey(table: Pick<NamedTable, 'kind' | 'name'> & { readonly family?: Family }): string {
  return table.kind === 'recent' ? `recent ${table.name}` : `hashlimit ${table.family} ${table.name}`;
}

/** Finds the tables of all policies, in the order of their rules; those in `existing` go before what a rule says. */
export function resolveNames(
  policies: readonly Pick<TablePolicy, 'family' | 'states'>[],
  existing: readonly NamedTable[],
  facts: NamedFacts,
): ResolvedNames {
  const known = new Map(existing.map((table) => [tableKey(table), table]));
  const used = new Map<string, NamedTable>();
  const emptied = new Set<string>();
  for (const { family, states } of policies) {
    for (const state of states) {
      const asked = askedTable(state, family, facts);
      if (asked === undefined) continue;
      const key = tableKey(asked);
      const found = used.get(key) ?? known.get(key);
      const grows = found?.kind === 'recent' && asked.kind === 'recent' && asked.ring > found.ring;
      if (grows) emptied.add(key);
      used.set(key, grows ? { ...found, ring: asked.ring } : (found ?? asked));
    }
  }
  const behind = policies.map(({ family, states }) =>
    states.map((state) => {
      const asked = askedTable(state, family, facts);
      return asked === undefined ? undefined : used.get(tableKey(asked));
    }),
  );
  return { tables: [...used.values()], behind, emptied };
}

/** The table that a rule would make, undefined for states that no other rule shares. */
export function askedTable(state: StateObject, family: Family, facts: NamedFacts): NamedTable | undefined {
  switch (state.kind) {
    case 'recent':
      return {
        kind: 'recent',
        name: state.list,
        mask: state.mask.toString(16).padStart(32, '0'),
        ring: ringSize(state.hits, facts.recentStamps),
        entries: facts.recentEntries,
      };
    case 'hashlimit':
      return {
        kind: 'hashlimit',
        name: state.name,
        family,
        table: sizedTable(state.table, facts.hashlimitBuckets),
      };
    default:
      return undefined;
  }
}

/**
 * Whether a rule and the table that it names count the same thing. Where they do not, the kernel reads numbers of one account as
 * those of another, partly from memory that it never wrote.
 */
export function fitsTable(state: StateObject, table: NamedTable | undefined): boolean {
  if (state.kind !== 'hashlimit') return true;
  return table?.kind === 'hashlimit' && sameKind(state.table, table.table);
}
