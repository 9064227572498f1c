/** bpfilter as one side of a comparison, in this process. */
import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import { flush } from '../../src/firewall/flush.ts';
import { applyPlans } from '../../src/firewall/install.ts';
import { namesInForce } from '../../src/firewall/names-in-force.ts';
import { readObjects } from '../../src/firewall/objects.ts';
import { hasErrors } from '../../src/firewall/plan.ts';
import { planFamilies } from '../../src/firewall/plan-families.ts';
import { readRuleset } from '../../src/firewall/read.ts';
import { withExclusiveSession, withSession } from '../../src/firewall/session.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { FirewallKind } from './firewalls.ts';

const WAIT_SECONDS = 10;

/** bpfilter's programs and, for nat and mangle, the kernel's tables as bpfilter places them. */
export const bpfilterFirewall: FirewallKind = {
  label: 'bpfilter',
  open: (namespace) => ({
    apply(sets) {
      const facts = readKernelFacts();
      const rulesets = (Object.entries(sets) as [Family, string][]).map(([family, text]) => {
        const { ruleset, diagnostics } = parseRuleset({ name: `rules.${family}`, text }, family);
        if (ruleset === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
        return ruleset;
      });
      const objects = withSession(namespace, () => readObjects(rulesets));
      const named = withSession(namespace, ({ layout }) => namesInForce(layout));
      const plans = planFamilies(rulesets, facts, { counters: false, objects }, named).map((planned) => {
        if (planned.plan === undefined || hasErrors(planned.diagnostics)) {
          throw new Error(planned.diagnostics.map(formatDiagnostic).join('\n'));
        }
        return planned.plan;
      });
      withExclusiveSession(namespace, WAIT_SECONDS, ({ layout }) => applyPlans(layout, plans));
    },
    save(family) {
      const read = withSession(namespace, ({ layout }) => readRuleset(layout, family));
      return read === undefined ? '' : printRuleset(read.ruleset, { counters: true });
    },
    close: () => withExclusiveSession(namespace, WAIT_SECONDS, ({ layout }) => flush(layout)),
  }),
};
