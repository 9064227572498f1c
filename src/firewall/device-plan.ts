/** From rule sets to what has to be installed for a whole policy on a device. Pure. */

import type { KernelFacts } from '../bpf/facts.ts';
import { compileDevice, type DeviceProgram } from '../codegen/device/program.ts';
import type { LinkLayer } from '../codegen/device/prologue.ts';
import { MissingMember } from '../codegen/netfilter/context.ts';
import { ChainsTooDeep } from '../codegen/netfilter/hook.ts';
import { MAX_SLOTS } from '../codegen/netfilter/layout.ts';
import { baseChain } from '../device/chains.ts';
import { differences } from '../device/differences.ts';
import { type DeviceChain, type DeviceHook, hookText } from '../device/hook.ts';
import { asksForConnections, misfits } from '../device/support.ts';
import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { lowerTable } from '../lowering/lower-table.ts';
import type { Family } from '../packet/netfilter.ts';
import type { TablePolicy } from '../policy/ir.ts';
import type { Ruleset } from '../rules/model.ts';
import { withoutCounters } from './ruleset-counters.ts';
import type { ChainState } from './state.ts';

export interface DevicePlan {
  readonly hook: DeviceHook;
  readonly chain: DeviceChain;
  readonly families: readonly DeviceFamily[];
  readonly program: DeviceProgram;
  /** How programs of the generation are made where the verifier does not take the first. */
  readonly fallback: () => DeviceProgram;
}

/** One family's part. */
export interface DeviceFamily {
  readonly family: Family;
  /** The table that the chain belongs to, as restore text with the counters that counting starts from. */
  readonly text: string;
  readonly chains: readonly ChainState[];
  /** Rules ask for connections. */
  readonly conntrack: boolean;
}

export interface DevicePlanResult {
  /** Present exactly when no diagnostic is an error. */
  readonly plan?: DevicePlan;
  readonly diagnostics: readonly Diagnostic[];
}

export interface DeviceOptions {
  readonly counters: boolean;
  /** A difference from netfilter is an error. */
  readonly strict: boolean;
  readonly link: LinkLayer;
}

/** At most one rule set for each family. */
export function planDevice(
  rulesets: readonly Ruleset[],
  hook: DeviceHook,
  chain: DeviceChain,
  facts: KernelFacts,
  options: DeviceOptions,
): DevicePlanResult {
  const found: Diagnostic[] = [];
  const policies: TablePolicy[] = [];
  const tables: Ruleset[] = [];
  for (const source of rulesets) {
    const ruleset = options.counters ? source : withoutCounters(source);
    const table = ruleset.tables.find(({ name }) => name === chain.table);
    const lowered = table === undefined ? undefined : lowerTable(table, ruleset.family);
    if (table === undefined || !table.chains.some(({ name }) => name === chain.hook)) {
      found.push(
        diagnostic('no-device-chain', undefined, { chain: chain.hook, table: chain.table, hook: hookText(hook) }),
      );
      continue;
    }
    const policy = lowered?.policy;
    const start = policy === undefined ? undefined : baseChain(policy, chain.hook);
    if (policy === undefined || start === undefined) {
      found.push(...(lowered?.diagnostics ?? []));
      continue;
    }
    found.push(...diagnose(policy, start, hook, chain, options.strict));
    policies.push(policy);
    tables.push({ ...ruleset, tables: [table] });
  }
  if (facts.preemptRt)
    found.push(
      diagnostic('not-at-device', undefined, {
        what: 'a policy',
        hook: hookText(hook),
        why: 'on a PREEMPT_RT kernel two programs could count at the same time on one CPU',
      }),
    );
  if (found.some(({ severity }) => severity === 'error')) return { diagnostics: found };
  const input = { kind: hook.kind, link: options.link, policies, hook: chain.hook, facts } as const;
  try {
    const program = compileDevice(input);
    const plan: DevicePlan = {
      ...{ hook, chain, program },
      fallback: () => compileDevice({ ...input, shape: { copies: 'one', loop: true, cutAfter: 2500 } }),
      families: policies.map((policy, index) => ({
        family: policy.family,
        text: printRuleset(tables[index]!, { counters: true }),
        chains: chainStates(policy, program.first[index]!),
        conntrack: asksForConnections(policy, baseChain(policy, chain.hook)!),
      })),
    };
    return { plan, diagnostics: found };
  } catch (error) {
    const where = { table: chain.table, hook: hookText(hook) };
    if (error instanceof MissingMember)
      return {
        diagnostics: [
          ...found,
          diagnostic('kernel-lacks-member', undefined, { ...where, member: error.member, release: facts.release }),
        ],
      };
    if (error instanceof ChainsTooDeep)
      return {
        diagnostics: [
          ...found,
          diagnostic('chains-too-deep', undefined, { ...where, depth: error.depth, room: MAX_SLOTS }),
        ],
      };
    throw error;
  }
}

/** What cannot be carried out, and what differs. */
function diagnose(
  policy: TablePolicy,
  start: number,
  hook: DeviceHook,
  chain: DeviceChain,
  strict: boolean,
): readonly Diagnostic[] {
  const where = hookText(hook);
  const wrong = misfits(policy, start, hook.kind).map(({ rule, what, why }) =>
    diagnostic('not-at-device', rule.provenance.span, { what, why, hook: where }),
  );
  const other = differences(policy, start, hook.kind, chain).map(({ rule, what, why }) => {
    const item = diagnostic('differs-at-device', rule?.provenance.span, {
      what: `${policy.family}: ${what}`,
      why,
      hook: where,
    });
    return strict ? Object.freeze({ ...item, severity: 'error' as const }) : item;
  });
  return [...wrong, ...other];
}

function chainStates(policy: TablePolicy, first: number): readonly ChainState[] {
  return policy.chains.map((chain) => ({
    name: chain.name,
    ...(chain.base === undefined ? {} : { policy: first + chain.base.counter }),
    rules: chain.rules.map((rule) => first + rule.counter),
    bridge: false,
  }));
}
