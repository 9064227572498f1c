/** Every rule set of the corpus that bpfilter can run, against the kernel's iptables, packet by packet. */
import { afterAll, expect, it } from 'vitest';
import { bpfilterEarly, bpfilterFirewall, earlyDropsSoFar } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { captureStimuli, localCaptureStimuli } from './captures.ts';
import { type CorpusFile, corpusFiles, deviceNames } from './corpus.ts';
import { directedPhases } from './directed.ts';
import { nastyStimuli } from './nasties.ts';
import { outcomeOf } from './outcome.ts';
import { FORWARD, INPUT, type Phase } from './stimulus.ts';
import { differences, runSides } from './twin.ts';

/**
 * Kubernetes spreads connections at random, in tables that stay with the kernel on both sides. Two kernels cannot throw the
 * same dice, so every n-th packet takes their place.
 */
function withoutDice(text: string): string {
  return text.replace(/--mode random --probability \S+/g, '--mode nth --every 2 --packet 0');
}

function phasesOf(file: CorpusFile, text: string, devices: readonly string[]): readonly Phase[] {
  const outcome = outcomeOf(file.name, text, file.family);
  if (outcome.kind === 'refused') return [];
  return [
    ...directedPhases(outcome.policies, devices),
    { path: FORWARD, stimuli: [...nastyStimuli(2), ...captureStimuli(1)] },
    { path: INPUT, stimuli: [...nastyStimuli(1), ...captureStimuli(1), ...localCaptureStimuli()] },
  ];
}

/** With early drop, too. */
const OURS = [bpfilterFirewall, bpfilterEarly];

suite('the corpus in the kernel', [...DIFFERENTIAL, 'shared'], () => {
  const files = corpusFiles().filter((file) => file.accepted);
  const before = earlyDropsSoFar();

  afterAll(() => {
    expect(earlyDropsSoFar()).toBeGreaterThan(before);
  });

  it.each(files)('$name', (file) => {
    const text = withoutDice(file.text);
    const devices = deviceNames(text);
    const frames = /-j (MASQUERADE|SNAT)/.test(text) ? 'withoutPorts' : 'whole';
    const sets = { [file.family]: text };
    const phases = phasesOf(file, text, devices);
    const [iptables, ...ours] = runSides([kernelFirewall, ...OURS], sets, phases, { devices, frames });
    OURS.forEach((right, at) => {
      if (differences(iptables!, ours[at]!, { frames }).length === 0) return;
      expect(compare(sets, phases, { left: kernelFirewall, right, devices, frames })).toBeUndefined();
    });
  });
});
