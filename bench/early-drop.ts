/**
 * A flood from 10,000 addresses, each with a DROP rule in table raw, over a veth pair: dropped at XDP, dropped at the netfilter hook, and by
 * a program that drops everything at once.
 */
import { exit, mov } from '../src/bpf/assembly.ts';
import { buildProgram } from '../src/bpf/builder.ts';
import { R0 } from '../src/bpf/instruction.ts';
import { withNamespace } from '../src/kernel/namespace.ts';
import { loadProgram } from '../src/kernel/program.ts';
import { indexOfDevice } from '../src/kernel/rtnetlink.ts';
import { injectLiveFrames } from '../src/kernel/test-run.ts';
import { attachXdp } from '../src/kernel/xdp-link.ts';
import { bpfilterEarly, bpfilterFirewall } from '../test/support/bpfilter-firewall.ts';
import { ipBatch, run } from '../test/support/command.ts';
import type { Firewall } from '../test/support/firewalls.ts';
import type { Bench, BenchRow } from './result.ts';
import { createGenerator, type Generator } from './rivals/arena.ts';
import { dotted } from './rivals/texts.ts';
import { sampleOf } from './statistics.ts';
import { ENTRY_BYTES, TRACE_ENTRIES } from './trace.ts';

const RULES = 10_000;
const ROUNDS = 15;
const FRAMES = 64 * 1024;
const GROUP = 'early drop, 10,000 addresses';
const [XDP_DROP, XDP_TX] = [1, 3];
const MAC = { to: '02:62:66:00:00:01', from: '02:62:66:00:00:02' } as const;
/** Spreads the numbers of rules over the addresses. */
const SPREAD = 40_503;

const addressOf = (rule: number): number => (0x0a000000 + ((rule * SPREAD) & 0xffffff)) >>> 0;

/** UDP from the rules' addresses, in no order. */
export function floodTrace(): Uint32Array {
  const out = new Uint32Array(TRACE_ENTRIES * 5);
  for (let entry = 0; entry < TRACE_ENTRIES; entry++) {
    out.set([addressOf(((entry * 7919) >>> 0) % RULES), 0xc0000201, 1024 + (entry & 1023), 53, 17], entry * 5);
  }
  return out;
}

/** A DROP rule for each address. */
export function floodRules(table = 'raw', chain = 'PREROUTING'): string {
  const lines = Array.from({ length: RULES }, (_, rule) => `-A ${chain} -s ${dotted(addressOf(rule))}/32 -j DROP`);
  return `*${table}\n${lines.join('\n')}\nCOMMIT\n`;
}

interface Lane {
  readonly name: string;
  readonly namespace: string;
  readonly close: () => void;
  /** Packets that the rules have counted; undefined: there are none. */
  readonly counted?: () => number;
  readonly times: number[];
}

/** A namespace whose device bench0 gets what its peer is made to send. */
export function openLane(namespace: string): void {
  ipBatch([`netns add ${namespace}`, `netns add ${namespace}-p`]);
  ipBatch([`link add bench0 address ${MAC.to} type veth peer name bench1 address ${MAC.from} netns ${namespace}-p`], {
    namespace,
  });
  // A veth takes redirected frames only while it polls: with a program of its own, or with GRO.
  run('ip', ['netns', 'exec', namespace, 'ethtool', '-K', 'bench0', 'gro', 'on']);
  ipBatch(['link set lo up', 'link set bench0 up', 'addr add 192.0.2.1/24 dev bench0'], { namespace });
  ipBatch(['link set bench1 up'], { namespace: `${namespace}-p` });
}

function inject(namespace: string, generator: Generator, frames: number): number {
  const frame = floodFrame();
  return withNamespace(`${namespace}-p`, () =>
    injectLiveFrames(generator.program, { frame, ifindex: indexOfDevice('bench1'), repeat: frames }),
  );
}

/** What the generator writes its packets over. */
export function floodFrame(): Uint8Array {
  const frame = new Uint8Array(14 + ENTRY_BYTES);
  frame.set(MAC.to.split(':').map((byte) => Number.parseInt(byte, 16)));
  frame.set([0x08, 0], 12);
  return frame;
}

function emptyProgram(namespace: string): { close(): void } {
  const program = loadProgram(buildProgram('empty', 'xdp', [mov.imm(R0, XDP_DROP), exit()]), new Map());
  const attached = withNamespace(namespace, () => attachXdp(program, indexOfDevice('bench0')));
  program.close();
  if ('refusal' in attached) throw attached.cause;
  return attached.link;
}

function countedBy(firewall: Firewall): number {
  const counts = firewall.save('ipv4').matchAll(/^\[(\d+):\d+\] -A [A-Z]+ -s/gm);
  return [...counts].reduce((sum, [, packets]) => sum + Number(packets), 0);
}

/** The first, undefined, has no rules. */
const CONTENDERS = [
  undefined,
  ...([bpfilterEarly, bpfilterFirewall] as const).flatMap((kind) => [
    { kind, where: ['raw', 'PREROUTING'] as const },
    { kind, where: ['filter', 'INPUT'] as const },
  ]),
] as const;

function compare(): readonly BenchRow[] {
  const generator = createGenerator(floodTrace(), 'ipv4', XDP_TX);
  const lanes: Lane[] = [];
  try {
    for (const [index, contender] of CONTENDERS.entries()) {
      const namespace = `bfe-${process.pid}-${index}`;
      openLane(namespace);
      const remove = (): void => ipBatch([`netns del ${namespace}`, `netns del ${namespace}-p`]);
      if (contender === undefined) {
        const empty = emptyProgram(namespace);
        lanes.push({ name: 'XDP_DROP at once', namespace, times: [], close: () => [empty.close(), remove()] });
        continue;
      }
      const { kind, where } = contender;
      const firewall = kind.open(namespace);
      const close = (): void => {
        firewall.close();
        remove();
      };
      lanes.push({
        name: `${kind.label}, ${where.join(' ')}`,
        namespace,
        times: [],
        close,
        counted: () => countedBy(firewall),
      });
      firewall.apply({ ipv4: floodRules(...where) });
    }
    for (let round = 0; round <= ROUNDS; round++) {
      for (const { namespace, times } of lanes) {
        const ns = inject(namespace, generator, FRAMES);
        // The first round warms up.
        if (round > 0) times.push(ns);
      }
    }
    const sent = FRAMES * (ROUNDS + 1);
    for (const { name, counted } of lanes) {
      const count = counted?.() ?? sent;
      // What its ring has no room for never comes to the device.
      if (count < sent * 0.99) throw new Error(`${name}: ${count} of ${sent} frames counted`);
    }
    const floor = sampleOf(lanes[0]!.times);
    return lanes.map(({ name, times }, index): BenchRow => {
      const { min, median } = sampleOf(times);
      const over = index === 0 ? {} : { overMin: min - floor.min, overMedian: median - floor.median };
      return { group: GROUP, name, unit: 'ns', min, median, ...over };
    });
  } finally {
    for (const lane of lanes) lane.close();
    generator.close();
  }
}

export const earlyDrop: Bench = { name: 'early drop', run: compare };
