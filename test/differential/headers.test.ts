/** Matches that read bytes of headers, each option from all sides: bpfilter against the kernel's iptables. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { truncated } from '../../src/packet/transport.ts';
import { packetView } from '../../src/policy/packet-view.ts';
import { HEADER_RULES } from '../generate/header-rules.ts';
import { dccpPayload, indexedPayload, sctpPayload, tcpWithOptions } from '../generate/headers.ts';
import { policiesOf } from '../generate/policies.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { directedPhases, phasesFor } from './directed.ts';
import { NASTY_ADDRESSES, nastyStimuli } from './nasties.ts';
import { FORWARD, INPUT, type Phase } from './stimulus.ts';

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

const ENDS = fc.record({ source: fc.constantFrom(1000, 40000), destination: fc.constantFrom(22, 5001) });
const byte = fc.integer({ min: 0, max: 255 });
const PAYLOADS = fc.oneof(
  sctpPayload(ENDS),
  dccpPayload(ENDS),
  tcpWithOptions(ENDS),
  indexedPayload,
  fc
    .tuple(fc.oneof(sctpPayload(ENDS), dccpPayload(ENDS), tcpWithOptions(ENDS)), fc.integer({ min: 0, max: 40 }))
    .map(([payload, length]) => truncated(payload, length)),
);

/** The same random packets each time, received, forwarded and sent: whole, cut off, later fragments. */
function listPackets(family: Family): readonly Phase[] {
  const at = NASTY_ADDRESSES[family];
  const packet = fc
    .tuple(PAYLOADS, fc.constantFrom(0, 0, 0, 0, 0, 1, 2), byte)
    .map(([payload, offset, tos]) =>
      family === 'ipv4'
        ? ipv4({ ...at, tos, fragmentOffset: offset }, payload)
        : ipv6(
            { ...at, trafficClass: tos, extensions: offset === 0 ? [] : [{ kind: 'fragment', offset, id: 1 }] },
            payload,
          ),
    );
  const hooks = ['INPUT', 'FORWARD', 'OUTPUT'] as const;
  const wanted = fc.sample(fc.record({ hook: fc.constantFrom(...hooks), bytes: packet }), { seed: 4, numRuns: 900 });
  return phasesFor(
    wanted.map(({ hook, bytes }) => ({ hook, packet: packetView({ family, bytes }) })),
    DEVICES,
  );
}

function difference(family: Family, matches: readonly string[]): unknown {
  const text = tables(matches);
  const phases = [
    ...directedPhases(policiesOf(text, family), DEVICES, 1500),
    ...listPackets(family),
    { path: FORWARD, stimuli: nastyStimuli(DEVICES.length) },
    { path: INPUT, stimuli: nastyStimuli(1) },
  ];
  return compare({ [family]: text }, phases, options);
}

suite('bytes of headers', DIFFERENTIAL, () => {
  const cases = FAMILIES.flatMap((family) =>
    Object.entries(HEADER_RULES[family]).map(([name, matches]) => [family, name, matches] as const),
  );
  it.each(cases)('%s: %s', (family, _, matches) => {
    expect(difference(family, matches)).toBeUndefined();
  });
});
