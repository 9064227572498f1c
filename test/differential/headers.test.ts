/** Matches that read bytes of headers, each option from all sides: bpfilter against the kernel's iptables. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { truncated } from '../../src/packet/transport.ts';
import { packetView } from '../../src/policy/packet-view.ts';
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
  'sctp ports': ['-p sctp -m sctp', '-p sctp -m sctp --sport 1000:40000 ! --dport 22', '-p sctp -m sctp --dport 5001'],
  'sctp any': [
    '-p sctp -m sctp --chunk-types any DATA',
    '-p sctp -m sctp --chunk-types any DATA:Be,ABORT:T,INIT',
    '-p sctp -m sctp --chunk-types any DATA:iu,SHUTDOWN_COMPLETE:t',
    '-p sctp -m sctp --chunk-types any ALL',
    '-p sctp -m sctp --sport 40000 --chunk-types any NONE',
  ],
  'sctp only': [
    '-p sctp -m sctp --chunk-types only DATA,INIT,SACK,I_DATA',
    '-p sctp -m sctp --dport 22 --chunk-types only DATA:B',
    '-p sctp -m sctp --chunk-types only ALL',
    '-p sctp -m sctp --chunk-types only NONE',
  ],
  'sctp all': [
    '-p sctp -m sctp --chunk-types all DATA',
    '-p sctp -m sctp --chunk-types all DATA,INIT',
    '-p sctp -m sctp --chunk-types all DATA:b,ABORT',
    '-p sctp -m sctp --chunk-types all ALL',
    '-p sctp -m sctp --chunk-types all NONE',
  ],
  'dccp types': [
    '-p dccp -m dccp',
    '-p dccp -m dccp --sport 1000 ! --dport 22',
    '-p dccp -m dccp --dccp-types REQUEST,RESET',
    '-p dccp -m dccp ! --dccp-types DATA,ACK,DATAACK',
    '-p dccp -m dccp --dccp-types INVALID',
  ],
  'dccp option': ['-p dccp -m dccp --dport 5001 --dccp-option 37', '-p dccp -m dccp --dccp-option 2'],
  tcpmss: [
    '-p tcp -m tcp --dport 22 -m tcpmss --mss 1460',
    '-p tcp -m tcp --dport 22 -m tcpmss ! --mss 536:1460',
    '-p tcp -m tcpmss --mss 0:65535',
    '-p tcp -m tcpmss ! --mss 1460:1461',
  ],
  u32: [
    '-m u32 --u32 "0>>22&0x3C@0>>24=0:5"',
    '-m u32 ! --u32 "0>>22&0x3C@12>>26&0x3C@0=0:0xffffffff"',
    '-m u32 --u32 "0>>28=4,6&&4&0xffff=0:0x4000"',
    '-m u32 --u32 "6&0xff=6,132"',
    '-m u32 ! --u32 "40&0xff000000>>24=0:1,5:9"',
    '-m u32 --u32 "0&0x00ff0000<<8>>24=1:200"',
    '-m u32 --u32 "0xfffffffc=0"',
    '-m u32 ! --u32 "0xfffffffe@0=0"',
    '-m u32 --u32 "0&0xffffffff@0xfffffff0=0:0xffffffff"',
    '-m u32 --u32 "36=0:0xffffffff"',
    '-m u32 --u32 "0=5:4,6:3"',
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
