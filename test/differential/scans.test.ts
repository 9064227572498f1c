/** Matches that walk through packets, each option from all sides: bpfilter against the kernel's iptables. */
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { policiesOf } from '../generate/policies.ts';
import { SCAN_RULES } from '../generate/scan-rules.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { directedPhases } from './directed.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, INPUT } from './stimulus.ts';

const DEVICES = ['eth0', 'eth1'];
const options = { left: kernelFirewall, right: bpfilterFirewall, devices: DEVICES };

/** The raw table with the same counting rules in every chain: it sees fragments as they come. */
function table(matches: readonly string[]): string {
  const chains = ['PREROUTING', 'OUTPUT'];
  return [
    '*raw',
    ...chains.map((chain) => `:${chain} ACCEPT [0:0]`),
    ...chains.flatMap((chain) => matches.map((match) => `-A ${chain} ${match}`)),
    'COMMIT',
    '',
  ].join('\n');
}

function difference(family: Family, matches: readonly string[]): unknown {
  const text = table(matches);
  const phases = [
    ...directedPhases(policiesOf(text, family), DEVICES, 1500),
    { path: FORWARD, stimuli: nastyStimuli(DEVICES.length) },
    { path: INPUT, stimuli: nastyStimuli(1) },
  ];
  return compare({ [family]: text }, phases, options);
}

suite('walks through packets', DIFFERENTIAL, () => {
  const cases = FAMILIES.flatMap((family) =>
    Object.entries(SCAN_RULES[family]).map(([name, matches]) => [family, name, matches] as const),
  );
  it.each(cases)('%s: %s', (family, _, matches) => {
    expect(difference(family, matches)).toBeUndefined();
  });
});
