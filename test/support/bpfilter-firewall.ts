/** bpfilter as one side of a comparison, in this process. */
import type { Choice } from '../../src/classify/classifier.ts';
import { EXTRACT_OPTIONS } from '../../src/classify/extract.ts';
import type { LookupOptions } from '../../src/codegen/netfilter/lookup/plan.ts';
import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import { wishedDevices } from '../../src/firewall/early-devices.ts';
import { flush } from '../../src/firewall/flush.ts';
import { applyPlans } from '../../src/firewall/install.ts';
import { namesInForce } from '../../src/firewall/names-in-force.ts';
import { readObjects } from '../../src/firewall/objects.ts';
import { hasErrors } from '../../src/firewall/plan.ts';
import { planFamilies } from '../../src/firewall/plan-families.ts';
import { readRuleset } from '../../src/firewall/read.ts';
import { withExclusiveSession, withSession } from '../../src/firewall/session.ts';
import { networkDevices } from '../../src/kernel/devices.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { run } from './command.ts';
import type { FirewallKind } from './firewalls.ts';

const WAIT_SECONDS = 10;

/** bpfilter's programs and, for nat and mangle, the kernel's tables as bpfilter places them. */
export const bpfilterFirewall = firewall('bpfilter', false);

/** The same with early drop on every device that can. */
export const bpfilterEarly = firewall('bpfilter --xdp auto', true);

/** The same with every list of rules, be it short, decided in one way. */
export function bpfilterWith(choice: Choice): FirewallKind {
  return firewall(`bpfilter: ${choice}`, false, { choice, extract: { ...EXTRACT_OPTIONS, minRules: 1 } });
}

let earlyDrops = 0;
/** How many frames all firewalls of that kind have dropped early that are closed by now. */
export const earlyDropsSoFar = (): number => earlyDrops;

/** What the namespace's veth devices have dropped at XDP. */
function droppedEarly(namespace: string): number {
  const devices = withSession(namespace, networkDevices).filter(({ driver }) => driver === 'veth');
  const texts = devices.map(({ name }) => run('ip', ['netns', 'exec', namespace, 'ethtool', '-S', name]));
  const counts = texts.flatMap((text) => [...text.matchAll(/rx_queue_\d+_xdp_drops: (\d+)/g)]);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

function firewall(label: string, early: boolean, forced?: LookupOptions): FirewallKind {
  return {
    label,
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
        const wish = { words: ['auto'], mode: 'native' } as const;
        const devices = wishedDevices(wish, withSession(namespace, networkDevices));
        const options = { counters: false, objects, forced, ...(early ? { early: { wish, devices } } : {}) };
        const plans = planFamilies(rulesets, facts, options, named).map((planned) => {
          if (planned.plan === undefined || hasErrors(planned.diagnostics)) {
            throw new Error(planned.diagnostics.map(formatDiagnostic).join('\n'));
          }
          return planned.plan;
        });
        const { warnings } = withExclusiveSession(namespace, WAIT_SECONDS, ({ layout }) => applyPlans(layout, plans));
        const failed = warnings.find((warning) => warning.startsWith('no early drop'));
        if (failed !== undefined) throw new Error(failed);
      },
      save(family) {
        const read = withSession(namespace, ({ layout }) => readRuleset(layout, family));
        return read === undefined ? '' : printRuleset(read.ruleset, { counters: true });
      },
      close() {
        if (early) earlyDrops += droppedEarly(namespace);
        withExclusiveSession(namespace, WAIT_SECONDS, ({ layout }) => flush(layout));
      },
    }),
  };
}
