/** The demonstration with real packets: bpfilter in one throwaway server, the kernel's iptables in another. */
import { flush } from '../../firewall/flush.ts';
import { applyPlans } from '../../firewall/install.ts';
import { type FamilyPlan, planFamily } from '../../firewall/plan.ts';
import { readRuleset } from '../../firewall/read.ts';
import { requiredKernelFacts } from '../../firewall/requirements.ts';
import { withExclusiveSession, withSession } from '../../firewall/session.ts';
import { findIptables, restoreTables, saveTable } from '../../kernel/kernel-tables.ts';
import { withNamespace } from '../../kernel/namespace.ts';
import { parseRuleset } from '../../languages/iptables/parse.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Example } from './examples.ts';
import { buildLab, type Lab } from './lab.ts';
import { scenes } from './scenes.ts';
import { type TallyLine, tallyOf } from './tally.ts';

export interface LiveResult {
  readonly label: string;
  readonly tallies: ReadonlyMap<Family, readonly TallyLine[]>;
  /** Packets that the server sent back. */
  readonly answers: number;
}

const WAIT_SECONDS = 10;

/** Sends the demonstration's traffic through a lab. */
function play(lab: Lab): number {
  for (const scene of scenes()) lab.send(scene);
  for (const family of ['ipv4', 'ipv6'] as const) {
    lab.exchange(family);
    lab.connect(family, 443);
  }
  return lab.answers();
}

function withLab<T>(body: (lab: Lab) => T): T {
  const lab = buildLab();
  try {
    return body(lab);
  } finally {
    lab.close();
  }
}

/** bpfilter's counters after the traffic. Throws FirewallError where the kernel cannot do it. */
export function runBpfilter(examples: readonly Example[]): LiveResult {
  const facts = requiredKernelFacts();
  const plans = examples.map(({ name, ruleset }): FamilyPlan => {
    const { plan } = planFamily(ruleset, facts, { counters: false });
    if (plan === undefined) throw new Error(`${name} cannot be run`);
    return plan;
  });
  return withLab((lab) => {
    try {
      withExclusiveSession(lab.namespace, WAIT_SECONDS, ({ layout }) => applyPlans(layout, plans));
      const answers = play(lab);
      const tallies = new Map(
        examples.map(({ family }) => {
          const read = withSession(lab.namespace, ({ layout }) => readRuleset(layout, family));
          return [family, read === undefined ? [] : tallyOf(read.ruleset)] as const;
        }),
      );
      return { label: 'bpfilter', tallies, answers };
    } finally {
      withExclusiveSession(lab.namespace, WAIT_SECONDS, ({ layout }) => flush(layout));
    }
  });
}

/** The kernel's counters after the same traffic; undefined when iptables is not installed. */
export function runIptables(examples: readonly Example[]): LiveResult | undefined {
  if (examples.some(({ family }) => findIptables(family) === undefined)) return undefined;
  return withLab((lab) => {
    for (const { family, text } of examples) withNamespace(lab.namespace, () => restoreTables(family, text));
    const answers = play(lab);
    const tallies = new Map(
      examples.map(({ family, ruleset }) => {
        const saved = ruleset.tables.map(
          ({ name }) => withNamespace(lab.namespace, () => saveTable(family, name)) ?? '',
        );
        const read = parseRuleset({ name: 'iptables-save', text: saved.join('') }, family);
        return [family, read.ruleset === undefined ? [] : tallyOf(read.ruleset)] as const;
      }),
    );
    return { label: 'iptables', tallies, answers };
  });
}
