/** Programs that suspend packets, before the kernel's verifier: with look-ups, questions asked ahead, effects, LOG and chains in chains. */
import { expect, it } from 'vitest';
import { compileGeneration } from '../../src/codegen/compile.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { netfilterInput, testRun } from '../../src/kernel/test-run.ts';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES } from '../../src/packet/netfilter.ts';
import { udp } from '../../src/packet/transport.ts';
import { policiesOf } from '../generate/policies.ts';
import { withLoaded } from '../support/loaded-generation.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const ACCEPTED = 1;
const QUESTION = '-m nfacct --nfacct-name count';

const LINES = [
  ':a - [0:0]',
  ':b - [0:0]',
  ':c - [0:0]',
  ...['INPUT', 'FORWARD'].flatMap((chain) => [
    `-A ${chain} -p udp ${QUESTION} -j a`,
    `-A ${chain} -p tcp -m tcp --dport 80 -j a`,
    `-A ${chain} -m limit --limit 5/sec ${QUESTION} -m length --length 50: -j LOG`,
    `-A ${chain} -p tcp -j MARK --set-xmark 0x1/0x1`,
    `-A ${chain} -m mark --mark 0x1 -g b`,
    `-A ${chain} -p icmp -j REJECT`,
  ]),
  ...Array.from({ length: 400 }, (_, at) => `-A a -p tcp -m tcp --sport ${at} --dport ${at * 3} -j DROP`),
  ...Array.from({ length: 40 }, (_, at) => `-A a -p tcp -m tcp --dport ${at * 7} ${QUESTION} -j DROP`),
  '-A a -j b',
  ...Array.from({ length: 60 }, (_, at) => `-A b -p udp -m udp --dport ${at} -j RETURN`),
  `-A b -p udp ${QUESTION} -j c`,
  '-A b -j c',
  `-A c -p udp ${QUESTION} -m udp --dport 53 -j RETURN`,
  '-A c -j LOG',
];

suite('suspending and the verifier', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s', (family) => {
    const lines = family === 'ipv4' ? LINES : LINES.map((line) => line.replace('-p icmp', '-p ipv6-icmp'));
    const policies = policiesOf(`*filter\n${lines.join('\n')}\nCOMMIT\n`, family);
    const facts = readKernelFacts();
    const packet = family === 'ipv4' ? ipv4({}, udp({})) : ipv6({}, udp({}));
    for (const shape of [undefined, 'two', 'one'] as const) {
      const { generation, diagnostics } = compileGeneration({
        policies,
        facts,
        ...(shape === undefined ? {} : { shape: { loop: false, copies: shape, cutAfter: 500 } }),
      });
      expect(diagnostics).toEqual([]);
      withLoaded(generation!, ({ program, maps }) => {
        for (const hook of generation!.hooks.filter(({ stages }) => stages !== undefined)) {
          const input = netfilterInput(family, hook.hook, packet);
          expect(testRun(program(hook), input).retval).toBe(ACCEPTED);
          // It waits for an answer.
          expect(maps.get('bf_suspended')!.keys()).toHaveLength(1);
          expect(maps.get('bf_suspended_n')!.readValue()[0]).toBe(1);
          maps.get('bf_suspended')!.delete(maps.get('bf_suspended')!.keys()[0]!);
          maps.get('bf_suspended_n')!.writeValue(new Uint8Array(16));
        }
      });
    }
  });
});
