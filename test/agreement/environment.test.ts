/**
 * Rules about what surrounds a packet: the evaluator and the compiled programs in the virtual machine agree on packets made for each of
 * them, on every value around what it asks for.
 */

import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { createSimulation, runHook } from '../../src/codegen/netfilter/simulate.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { packetsFor } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { compile, compiledHook, createOracle } from './cases.ts';

const RULES = [
  'INPUT -m cpu --cpu 0',
  'INPUT -m cpu ! --cpu 0',
  'INPUT -m devgroup --src-group 1/3',
  'INPUT -m devgroup ! --src-group 7',
  'FORWARD -m devgroup --src-group 1 ! --dst-group 2/2',
  'INPUT -m connbytes --connbytes 10:20 --connbytes-mode packets --connbytes-dir both',
  'INPUT -m connbytes ! --connbytes 10:20 --connbytes-mode avgpkt --connbytes-dir both',
  'INPUT -m connbytes --connbytes 5 --connbytes-mode avgpkt --connbytes-dir original',
  'INPUT -m connbytes --connbytes 1000: --connbytes-mode bytes --connbytes-dir reply',
  'INPUT -m connlabel --label 3',
  'INPUT -m connlabel ! --label 127',
  'INPUT -m helper --helper ftp-21',
  'INPUT -m helper ! --helper ""',
  'INPUT -m helper --helper a-name-of-more-than-sixteen',
  'INPUT -m cgroup --cgroup 5',
  'INPUT -m cgroup ! --cgroup 5',
  'INPUT -m policy --dir in --pol none',
  'INPUT -m policy --dir in --pol ipsec',
  'INPUT -m policy --dir in --pol ipsec --reqid 3 ! --spi 0x100 --proto esp',
  'INPUT -m policy --dir in --pol ipsec --strict --mode tunnel --tunnel-dst ADDRESS',
  'OUTPUT -m policy --dir out --pol none',
  'OUTPUT -m policy --dir out --pol ipsec ! --mode transport',
  'OUTPUT -m policy --dir out --pol ipsec --strict --reqid 1 --next --proto ah ! --reqid 2 --next --mode tunnel ! --tunnel-src ADDRESS',
  'FORWARD -m physdev --physdev-in port0 --physdev-out port1',
  'FORWARD -m physdev ! --physdev-in port+ ! --physdev-out port1',
  'INPUT -m physdev --physdev-is-in',
  'INPUT -m physdev ! --physdev-is-in ! --physdev-is-bridged',
  'FORWARD -m physdev ! --physdev-is-out',
  'INPUT -m time --timestart 09:00 --timestop 17:00 --weekdays Mon,Tue',
  'INPUT -m time --timestart 22:00 --timestop 06:00 --monthdays 1,23 --contiguous --weekdays Mon',
  'INPUT -m time --timestart 22:00 --timestop 06:00 ! --monthdays 1,23',
  'INPUT -m time --timestart 12:00 --timestop 12:00 ! --weekdays Sun',
  'INPUT -m time --datestart 2026-11-23T11:00 --datestop 2026-12-01',
] as const;
const IPV4_RULES = ['INPUT -m realm --realm 3/7', 'INPUT -m realm ! --realm 0x10000'] as const;
const ADDRESSES = { ipv4: '10.0.0.0/8', ipv6: '2001:db8::/48' } as const satisfies Record<Family, string>;

describe.each(FAMILIES)('%s', (family) => {
  it.each([...RULES, ...(family === 'ipv4' ? IPV4_RULES : [])])('%s', (rule) => {
    const text = rule.replaceAll('ADDRESS', ADDRESSES[family]);
    const [policy] = policiesOf(`*filter\n-A ${text} -j DROP\nCOMMIT\n`, family);
    const generation = compile([policy!]);
    const simulation = createSimulation(generation, REFERENCE_FACTS);
    const oracle = createOracle(policy!, REFERENCE_FACTS.hz);
    const packets = packetsFor(policy!);
    for (const { hook, packet, why } of packets) {
      const { verdict } = oracle.run(hook, packet);
      const run = runHook(generation, compiledHook(generation, policy!, hook)!, { view: packet }, simulation);
      expect({ why, verdict: run.verdict }).toEqual({ why, verdict });
    }
  });
});

it('the calendar of every day from 1970 to 2038', () => {
  const text = '-m time --monthdays 1,2,3,28,29,30,31 --weekdays Mon,Thu -j DROP';
  const [policy] = policiesOf(`*filter\n-A INPUT ${text}\n-A INPUT -m time --monthdays 29 -j DROP\nCOMMIT\n`, 'ipv4');
  const generation = compile([policy!]);
  const simulation = createSimulation(generation, REFERENCE_FACTS);
  const oracle = createOracle(policy!, REFERENCE_FACTS.hz);
  const { packet } = packetsFor(policy!, { limit: 1 })[0]!;
  for (let day = 0; day < 25_202; day++) {
    const view = { ...packet, seconds: day * 86_400 + (day % 86_400) };
    const { verdict } = oracle.run('INPUT', view);
    const run = runHook(generation, compiledHook(generation, policy!, 'INPUT')!, { view }, simulation);
    if (run.verdict !== verdict) expect({ day, verdict: run.verdict }).toEqual({ day, verdict });
  }
});
