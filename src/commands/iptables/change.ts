/** Reading and replacing the rules of one family, alone and with their counters. */

import type { TablesSession } from '../../firewall/tables-session.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Ruleset } from '../../rules/model.ts';

/** The rules of a family with live counters; undefined when there are none. */
export function currentRules(tables: TablesSession, family: Family): Ruleset | undefined {
  return tables.read(family)?.live();
}

export interface RuleChange<T> {
  readonly family: Family;
  /** How long to wait for a bpfilter that does not take the family's lock. */
  readonly waitSeconds: number;
  /** `work` asks for counters: it shows them, or makes them zero. */
  readonly counters: boolean;
  /** Makes other rules of those in force, or none when there is nothing to do. */
  work(now: Ruleset | undefined): T;
  /** Called once, right before anything changes. */
  begin?: (() => void) | undefined;
}

/**
 * Reads the rules, lets `work` make others of them, and puts those into force; nobody else changes them meanwhile. Throws with the old rules
 * in force.
 */
export function changeRules<T extends { readonly ruleset?: Ruleset | undefined }>(
  tables: TablesSession,
  { family, waitSeconds, counters, work, begin }: RuleChange<T>,
): T {
  return tables.transact(family, waitSeconds, (now) => work(counters ? now?.live() : now?.ruleset), begin).result;
}
