/** Early drop beside the kernel's iptables: the same frames over native XDP, every counter and delivered frame compared. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { randomRulesetText } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { UNIVERSE } from '../generate/universe.ts';
import { bpfilterEarly } from '../support/bpfilter-firewall.ts';
import { SEED } from '../support/budget.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { directedPhases } from './directed.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, INPUT } from './stimulus.ts';

const DEVICES = ['eth0', 'eth1'];
const options = { left: kernelFirewall, right: bpfilterEarly, devices: DEVICES };

const RULES = {
  chains: [
    ':a - [0:0]',
    ':b - [0:0]',
    '-A PREROUTING -j a',
    '-A PREROUTING -i eth1 -p udp -j DROP',
    '-A PREROUTING -p tcp -m tcp --dport 22 --syn -j DROP',
    '-A PREROUTING -m ttl --ttl-lt 5 -j DROP',
    '-A a -p tcp -j b',
    '-A a -p udp -m udp --dport 53 -g b',
    '-A b -p tcp -m tcp --sport 1000 -j RETURN',
    '-A b -p tcp -m tcp --tcp-flags RST RST -j DROP',
    '-A b -p udp -j DROP',
  ],
  everything: ['-A PREROUTING -i eth0', '-A PREROUTING -j DROP'],
  'what is uncertain': [
    '-A PREROUTING -p udp -m mark --mark 0x0 -j ACCEPT',
    '-A PREROUTING -p udp -j DROP',
    '-A PREROUTING -m length --length 0:60',
    '-A PREROUTING -j DROP',
  ],
} as const;

function rulesFor(family: Family, lines: readonly string[]): string {
  const raw = lines.map((line) => (family === 'ipv4' ? line : line.replace('-m ttl --ttl-lt', '-m hl --hl-lt')));
  const filter = '-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A FORWARD -p udp -j DROP\n';
  return `*raw\n${raw.join('\n')}\nCOMMIT\n*filter\n${filter}COMMIT\n`;
}

function differenceOf(family: Family, text: string, limit: number): unknown {
  const phases = [
    ...directedPhases(policiesOf(text, family), DEVICES, limit),
    { path: INPUT, stimuli: nastyStimuli(DEVICES.length) },
    { path: FORWARD, stimuli: nastyStimuli(1) },
  ];
  return compare({ [family]: text }, phases, options);
}

suite('early drop beside iptables', DIFFERENTIAL, () => {
  const cases = FAMILIES.flatMap((family) =>
    Object.entries(RULES).map(([name, lines]) => ({ family, name, text: rulesFor(family, lines) })),
  );
  it.each(cases)('$family: $name', ({ family, text }) => {
    expect(differenceOf(family, text, 400)).toBeUndefined();
  });

  it.each(FAMILIES)('%s: random tables raw', (family) => {
    const texts = fc.sample(
      randomRulesetText(family, { tables: ['raw'], targets: ['log', 'effect'], universe: UNIVERSE[family] }),
      { seed: SEED, numRuns: 6 },
    );
    for (const text of texts) expect(differenceOf(family, text, 150)).toBeUndefined();
  });
});
