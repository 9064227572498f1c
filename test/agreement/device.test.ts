/** Whole policies on devices under the kernel's TEST_RUN: verdict and every counter are those of the reference evaluator. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileDevice } from '../../src/codegen/device/program.ts';
import { VERDICTS } from '../../src/codegen/device/tails.ts';
import { baseChain } from '../../src/device/chains.ts';
import { fateOfFrame } from '../../src/device/frame.ts';
import type { DeviceKind } from '../../src/device/hook.ts';
import { misfits } from '../../src/device/support.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { createMap } from '../../src/kernel/map.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { testRun } from '../../src/kernel/test-run.ts';
import { ETHERTYPE, ethernet } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import { createMemory } from '../../src/policy/memory.ts';
import { type PacketView, packetView } from '../../src/policy/packet-view.ts';
import { packetsFor, randomRulesetText, randomTraffic } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const KINDS = ['xdp', 'tc-ingress'] as const satisfies readonly DeviceKind[];
const HOOK = 'INPUT';

interface Result {
  readonly verdict: number;
  readonly counters: readonly string[];
}

type Shape = NonNullable<Parameters<typeof compileDevice>[0]['shape']>;

/** A runner of one table's program. */
function device(policy: TablePolicy, kind: DeviceKind, shape?: Shape) {
  const facts = readKernelFacts();
  const input = { kind, link: 'ethernet', policies: [policy], hook: HOOK, facts } as const;
  const compiled = compileDevice(shape === undefined ? input : { ...input, shape });
  const maps = new Map(compiled.maps.map((spec) => [spec.name, createMap(spec)] as const));
  const program = loadProgram(compiled.program, maps);
  const counters = maps.get('bf_counters')!;
  const stride = compiled.counterStride;
  return {
    run(frame: Uint8Array): Result {
      counters.writeValue(new Uint8Array(stride * facts.possibleCpus));
      const verdict = testRun(program, { data: frame }).retval | 0;
      const value = Buffer.from(counters.readValue());
      const sums = Array.from({ length: policy.counters }, (_, counter) => {
        let [packets, bytes] = [0n, 0n];
        for (let cpu = 0; cpu < facts.possibleCpus; cpu++) {
          const at = cpu * stride + (compiled.first[0]! + counter) * 16;
          packets += value.readBigUInt64LE(at);
          bytes += value.readBigUInt64LE(at + 8);
        }
        return `${packets}:${bytes}`;
      });
      return { verdict, counters: sums };
    },
    close() {
      program.close();
      for (const map of maps.values()) map.close();
    },
  };
}

/** What a test run says the device is. */
const LOOPBACK = { name: 'lo', ifindex: 1 } as const;

function expectation(policy: TablePolicy, kind: DeviceKind, frame: Uint8Array): Result {
  const { pass, drop } = VERDICTS[kind];
  const fate = fateOfFrame(frame);
  const none = Array.from({ length: policy.counters }, () => '0:0');
  if (fate.kind !== 'packet' || fate.family !== policy.family)
    return { verdict: fate.kind === 'drop' ? drop : pass, counters: none };
  const view = packetView({ family: fate.family, bytes: fate.bytes, in: LOOPBACK });
  const { verdict, counted } = evaluate(policy, HOOK, view, createMemory(policy, readKernelFacts().hz));
  const counters = none.map((_, counter) => {
    const times = counted.filter((item) => item === counter).length;
    return `${times}:${times * view.skbLength}`;
  });
  return { verdict: verdict === 'accept' ? pass : drop, counters };
}

const TAGS = {
  none: [],
  vlan: [0x81, 0x00, 0x00, 0x05],
  qinq: [0x88, 0xa8, 0, 9, 0x81, 0, 0, 5],
  three: [0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3],
} as const;

/** The packet's frame, with tags and a little behind it. */
function frameOf({ family, bytes }: PacketView, tags: keyof typeof TAGS, behind: number): Uint8Array {
  const plain = ethernet({ type: ETHERTYPE[family] }, bytes);
  return Uint8Array.from([
    ...plain.subarray(0, 12),
    ...TAGS[tags],
    ...plain.subarray(12),
    ...new Uint8Array(behind).fill(0xa5),
  ]);
}

function policyOf(family: Family, text: string): TablePolicy {
  return policiesOf(text, family)[0]!;
}

/** Headers that netfilter sees are well formed; here the checksum decides, so most get a right one. */
function mended(view: PacketView): PacketView {
  if (view.family !== 'ipv4' || view.bytes.length < 20) return view;
  const bytes = view.bytes.slice();
  const header = Math.min((bytes[0]! & 15) * 4, bytes.length & ~1);
  bytes[10] = bytes[11] = 0;
  let sum = 0;
  for (let at = 0; at < header; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  bytes[10] = (~sum >> 8) & 255;
  bytes[11] = ~sum & 255;
  return { ...view, bytes };
}

function compareAll(policy: TablePolicy, kind: DeviceKind, views: readonly PacketView[], shape?: Shape): number {
  const program = device(policy, kind, shape);
  let packets = 0;
  try {
    views.forEach((view, index) => {
      const tags = (['none', 'none', 'vlan', 'none', 'qinq', 'three'] as const)[index % 6]!;
      const frame = frameOf(index % 7 === 6 ? view : mended(view), tags, index % 3 === 2 ? 6 : 0);
      const wanted = expectation(policy, kind, frame);
      expect(program.run(frame), Buffer.from(frame).toString('hex')).toEqual(wanted);
      if (wanted.counters.some((item) => item !== '0:0')) packets++;
    });
  } finally {
    program.close();
  }
  return packets;
}

const LOOP: Shape = { copies: 'one', loop: true, cutAfter: 2500 };

suite('programs on devices and the evaluator agree', DIFFERENTIAL, () => {
  const cases = KINDS.flatMap((kind) => FAMILIES.map((family) => [kind, family] as const));

  it.each(cases)('on chains, options and payload: %s %s', (kind, family) => {
    const lines = [
      ':a - [0:0]',
      ':b - [0:0]',
      '-A INPUT -j a',
      '-A INPUT -p tcp -j b',
      '-A INPUT -i eth+ -j DROP',
      '-A INPUT -p tcp -m tcp --tcp-option 3 -j ACCEPT',
      '-A INPUT -p tcp -m tcp ! --tcp-option 8',
      '-A INPUT -m length --length 60:90',
      `-A INPUT -m ${family === 'ipv4' ? 'ttl --ttl-gt' : 'hl --hl-gt'} 63`,
      '-A INPUT -m dscp --dscp 0x08',
      '-A a -p udp -m udp --dport 53',
      '-A a -p udp -g b',
      '-A b -p udp -m udp --sport 1000:2000 -j RETURN',
      '-A b -p tcp -m tcp --dport 80 --syn -j DROP',
      '-A b -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK ACK -j ACCEPT',
      '-A b -p udp -j DROP',
    ];
    const policy = policyOf(family, `*filter\n:INPUT DROP [0:0]\n${lines.join('\n')}\nCOMMIT\n`);
    const views = packetsFor(policy).map(({ packet }) => packet);
    expect(compareAll(policy, kind, views)).toBeGreaterThan(40);
    expect(compareAll(policy, kind, views, LOOP)).toBeGreaterThan(40);
  });

  it('loads wherever it can hang, with everything that it can do', () => {
    const facts = readKernelFacts();
    const rules = [
      '-A POSTROUTING -p tcp -m conntrack --ctstate NEW -j MARK --set-xmark 0x1/0xff',
      '-A POSTROUTING -o eth0 -p udp -m limit --limit 5/sec -j DSCP --set-dscp 0x08',
      '-A POSTROUTING -m time --timestart 10:00 --timestop 11:00 -j DROP',
    ];
    const text = `*mangle\n${rules.join('\n')}\nCOMMIT\n`;
    const policies = FAMILIES.map((family) => policyOf(family, text));
    for (const link of ['ethernet', 'none'] as const) {
      for (const shape of [undefined, LOOP]) {
        const input = { kind: 'tc-egress', link, policies, hook: 'POSTROUTING', facts } as const;
        const { program, maps } = compileDevice(shape === undefined ? input : { ...input, shape });
        const made = new Map(maps.map((spec) => [spec.name, createMap(spec)] as const));
        loadProgram(program, made).close();
        for (const map of made.values()) map.close();
      }
    }
  });

  it.each(cases)('on a list that is looked up: %s %s', (kind, family) => {
    const source = (at: number): string => (family === 'ipv4' ? `10.1.${at >> 8}.${at & 255}/32` : `fd00::${at}/128`);
    const lines = Array.from(
      { length: 600 },
      (_, at) => `-A INPUT -s ${source(at)} -j ${at % 3 === 0 ? 'ACCEPT' : 'DROP'}`,
    );
    const policy = policyOf(family, `*filter\n${lines.join('\n')}\nCOMMIT\n`);
    const views = packetsFor(policy, { limit: 200 }).map(({ packet }) => packet);
    expect(compareAll(policy, kind, views)).toBeGreaterThan(20);
  });

  it.each(cases)('on random tables and traffic: %s %s', (kind, family) => {
    let packets = 0;
    fc.assert(
      fc.property(
        randomRulesetText(family, { tables: ['filter'], targets: [] }),
        randomTraffic(family, {}, 12),
        (text, traffic) => {
          const policy = policiesOf(text, family)[0]!;
          const base = baseChain(policy, HOOK);
          fc.pre(base !== undefined && misfits(policy, base, kind).length === 0);
          packets += compareAll(policy, kind, [
            ...traffic,
            ...packetsFor(policy, { limit: 40 }).map(({ packet }) => packet),
          ]);
        },
      ),
      { numRuns: 25 },
    );
    expect(packets).toBeGreaterThan(20);
  });
});
