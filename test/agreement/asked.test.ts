/** Programs that wait for the kernel's answers, before the kernel's verifier: all words of answers, exact chains and the loop. */
import { expect, it } from 'vitest';
import { compileGeneration } from '../../src/codegen/compile.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { netfilterInput, testRun } from '../../src/kernel/test-run.ts';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES } from '../../src/packet/netfilter.ts';
import { udp } from '../../src/packet/transport.ts';
import { MAX_QUESTIONS } from '../../src/policy/question.ts';
import { policiesOf } from '../generate/policies.ts';
import { withLoaded } from '../support/loaded-generation.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const DROPPED = 0;

/** As many questions as there can be, in chains that are called from several places, among rules that look at the packet. */
const LINES = [
  ':a - [0:0]',
  ':b - [0:0]',
  ...['INPUT', 'FORWARD'].flatMap((chain) => [
    `-A ${chain} -m set --match-set s0 src -j a`,
    `-A ${chain} -p udp -m set ! --match-set s1 dst -j a`,
    `-A ${chain} -p tcp -m set --match-set s0 src -m tcp --dport 80 -j b`,
    `-A ${chain} -m limit --limit 5/sec -m set ! --match-set s200 src`,
  ]),
  ...Array.from(
    { length: MAX_QUESTIONS - 4 },
    (_, at) => `-A a -p tcp -m set --match-set s${at} src,dst -m tcp --sport ${at}`,
  ),
  '-A a -j b',
  '-A b -m set ! --match-set s99 src,dst -j RETURN',
  '-A b -j DROP',
];

suite('answers and the verifier', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s', (family) => {
    const policies = policiesOf(`*filter\n${LINES.join('\n')}\nCOMMIT\n`, family);
    expect(policies[0]?.questions).toHaveLength(MAX_QUESTIONS - 1);
    const facts = readKernelFacts();
    const packet = family === 'ipv4' ? ipv4({}, udp({})) : ipv6({}, udp({}));
    for (const loop of [false, true]) {
      for (const copies of ['two', 'one'] as const) {
        const { generation, diagnostics } = compileGeneration({
          policies,
          facts,
          shape: { loop, copies, cutAfter: 500 },
        });
        expect(diagnostics).toEqual([]);
        withLoaded(generation!, ({ program }) => {
          for (const hook of generation!.hooks.filter(({ answers }) => answers.length > 0)) {
            // Nobody asked.
            const input = netfilterInput(family, hook.hook, packet);
            expect(testRun(program(hook), input).retval).toBe(DROPPED);
          }
        });
      }
    }
  });
});
