/** Random rule sets against random packets: bpfilter and the kernel's iptables must agree about all of them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Choice } from '../../src/classify/classifier.ts';
import { FAMILIES, type Family, HOOKS, type Hook } from '../../src/packet/netfilter.ts';
import { MATCH_NAMES, randomPacket, randomRulesetText, UNIVERSE } from '../generate/index.ts';
import { bpfilterFirewall, bpfilterWith } from '../support/bpfilter-firewall.ts';
import { budgetMs, SEED } from '../support/budget.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { phasesFor, type Wanted } from './directed.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD } from './stimulus.ts';

const BUDGET_MS = budgetMs(45, 0.4);
const PACKETS = 200;
/** As rules are decided by themselves, and in each way that there is. */
const KINDS = [
  bpfilterFirewall,
  ...(['trees', 'hashes', 'ordered', 'linear'] as const satisfies readonly Choice[]).map(bpfilterWith),
];
/** u32 could read what each namespace chooses for itself, such as the identification of a packet that it sends. */
const MATCHES = MATCH_NAMES.filter((name) => name !== 'u32');

function wanted(family: Family): fc.Arbitrary<Wanted> {
  return fc
    .constantFrom<Hook>(...HOOKS)
    .chain((hook) => randomPacket(family, { hook }).map((packet) => ({ hook, packet })));
}

suite('random rule sets', DIFFERENTIAL, () => {
  it.each(FAMILIES)(
    '%s: equal counters, frames and answers',
    (family) => {
      const devices = UNIVERSE[family].devices.filter((name) => name !== 'lo');
      const about = { matches: MATCHES, memory: 'deterministic' } as const;
      // Few rules are code; many make a look-up be without being forced to.
      const rules = fc.oneof(
        { weight: 4, arbitrary: randomRulesetText(family, { ...about, maxRules: 12 }) },
        { weight: 1, arbitrary: randomRulesetText(family, { ...about, maxRules: 90 }) },
      );
      const deadline = performance.now() + BUDGET_MS;
      let runs = 0;
      const property = fc.property(
        rules,
        fc.array(wanted(family), { minLength: 20, maxLength: PACKETS }),
        (text, list) => {
          const options = { left: kernelFirewall, right: KINDS[runs % KINDS.length]!, devices };
          runs++;
          const phases = [...phasesFor(list, devices), { path: FORWARD, stimuli: nastyStimuli(1) }];
          const report = compare({ [family]: text }, phases, options);
          if (report !== undefined) throw new Error(`${options.right.label}\n${text}\n${report}`);
        },
      );
      const result = fc.check(property, {
        seed: SEED,
        numRuns: 1_000_000,
        interruptAfterTimeLimit: deadline - performance.now(),
        // A counterexample is made small by `compare`, whose report names the packets; the rules stay as they are.
        endOnFailure: true,
      });
      console.log(`${family}: ${runs} random rule sets, seed ${SEED}`);
      if (result.failed && !result.interrupted)
        throw result.errorInstance ?? new Error(fc.defaultReportMessage(result));
      expect(runs).toBeGreaterThan(0);
    },
    BUDGET_MS + 300_000,
  );
});
