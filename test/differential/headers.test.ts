/** Matches that read bytes of headers, each option from all sides: bpfilter against the kernel's iptables. */
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { policiesOf } from '../generate/policies.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { directedPhases } from './directed.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, INPUT } from './stimulus.ts';

const DEVICES = ['eth0', 'eth1'];
const options = { left: kernelFirewall, right: bpfilterFirewall, devices: DEVICES };

/** A raw and a filter table, every chain with the same counting rules: raw sees fragments before they are put together. */
function tables(matches: readonly string[]): string {
  const table = (name: string, chains: readonly string[]): string =>
    [
      `*${name}`,
      ...chains.map((chain) => `:${chain} ACCEPT [0:0]`),
      ...chains.flatMap((chain) => matches.map((match) => `-A ${chain} ${match}`)),
      'COMMIT',
      '',
    ].join('\n');
  return table('raw', ['PREROUTING', 'OUTPUT']) + table('filter', ['INPUT', 'FORWARD', 'OUTPUT']);
}

function difference(family: Family, matches: readonly string[]): unknown {
  const text = tables(matches);
  const phases = [
    ...directedPhases(policiesOf(text, family), DEVICES, 1500),
    { path: FORWARD, stimuli: nastyStimuli(DEVICES.length) },
    { path: INPUT, stimuli: nastyStimuli(1) },
  ];
  return compare({ [family]: text }, phases, options);
}

const BOTH: Readonly<Record<string, readonly string[]>> = {
  dscp: ['-m dscp --dscp 0x2e', '-m dscp ! --dscp 0x2e', '-m dscp --dscp 0', '-m dscp --dscp-class cs1'],
  tos: [
    '-m tos --tos 0x10/0x3f',
    '-m tos ! --tos 0x10/0x3f',
    '-m tos --tos 0xff',
    '-m tos --tos 0/0xff',
    '-m tos --tos 0x41/0xc3',
    '-m tos --tos 0x11/0x10',
    '-m tos ! --tos 0x11/0x10',
  ],
  ecn: [
    '-m ecn --ecn-ip-ect 0',
    '-m ecn --ecn-ip-ect 2',
    '-m ecn ! --ecn-ip-ect 3',
    '-p tcp -m ecn --ecn-tcp-ece',
    '-p tcp -m ecn --ecn-tcp-cwr',
    '-p tcp -m ecn ! --ecn-tcp-ece ! --ecn-tcp-cwr ! --ecn-ip-ect 1',
  ],
  esp: [
    '-p esp -m esp',
    '-p esp -m esp --espspi 256:65536',
    '-p esp -m esp ! --espspi 256:65536',
    '-p esp -m esp --espspi 4294967295',
  ],
  ipcomp: [
    '-p ipcomp -m ipcomp --ipcompspi 256:512',
    '-p ipcomp -m ipcomp ! --ipcompspi 256:512',
    '-p ipcomp -m ipcomp --ipcompspi 65535 --compres',
    '-p ipcomp -m ipcomp --ipcompspi 65535:70000',
  ],
  length: ['-m length --length 40', '-m length ! --length 40', '-m length --length 40:65535', '-m length --length :60'],
};

const IPV4: Readonly<Record<string, readonly string[]>> = {
  ah: [
    '-p ah -m ah',
    '-p ah -m ah --ahspi 256:65536',
    '-p ah -m ah ! --ahspi 256:65536',
    '-p ah -m ah --ahspi 4294967295',
  ],
};

suite('bytes of headers', DIFFERENTIAL, () => {
  const cases = FAMILIES.flatMap((family) =>
    Object.entries(family === 'ipv4' ? { ...BOTH, ...IPV4 } : BOTH).map(
      ([name, matches]) => [family, name, matches] as const,
    ),
  );
  it.each(cases)('%s: %s', (family, _, matches) => {
    expect(difference(family, matches)).toBeUndefined();
  });
});
