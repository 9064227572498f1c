/** `bpfilter list --json`. The format only ever grows; `version` would change otherwise. */

import type { FamilyInForce, InForce } from '../firewall/read.ts';
import type { Counters } from '../rules/model.ts';
import { ruleWords } from './rule-words.ts';

/** Counters are numbers as long as JSON readers keep them exact, else strings. */
function json({ packets, bytes }: Counters): { readonly packets: number | string; readonly bytes: number | string } {
  return { packets: exact(packets), bytes: exact(bytes) };
}

export function exact(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}

/** Plain data for JSON.stringify; generation 0 and no families when nothing is in force. */
export function listJson(inForce: InForce | undefined): object {
  return {
    version: 1,
    generation: inForce?.generation ?? 0,
    families: (inForce?.families ?? []).map(familyJson),
  };
}

function familyJson(family: FamilyInForce): unknown {
  return {
    family: family.family,
    madeBy: family.madeBy,
    programs: family.programs,
    maps: family.maps,
    tables: family.ruleset.tables.map((table) => ({
      name: table.name,
      chains: table.chains.map((chain) => ({
        name: chain.name,
        placement: family.placements.find((item) => item.table === table.name && item.chain === chain.name)?.placement,
        ...(chain.policy === undefined ? {} : { policy: chain.policy, ...json(chain.counters) }),
        rules: chain.rules.map((rule) => ({
          rule: ruleWords(family.family, table.name, chain.name, rule),
          ...json(rule.counters),
        })),
      })),
    })),
  };
}
