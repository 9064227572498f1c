/**
 * Thousands of changes of one rule, one after the other, in a process that returns to its event loop between them: how long each takes
 * from the moment it is due, whatever is put in order in the background, and what packets cost afterwards.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { flush } from '../../src/firewall/flush.ts';
import { openLiveFirewall } from '../../src/firewall/live/live-firewall.ts';
import { withExclusiveSession } from '../../src/firewall/session.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import type { Bench, BenchRow } from '../result.ts';
import { sampleOf } from '../statistics.ts';
import { type Arena, createArena, createGenerator } from './arena.ts';
import { FLOOR } from './contenders.ts';
import { workload } from './workload.ts';

const SIZES = [10_000, 100_000] as const;
const BARS: Readonly<Record<number, number>> = { 10000: 5, 100000: 20 };
const CHANGES = 2500;
/** Milliseconds between two changes. */
const EVERY = { 10000: 3, 100000: 8 } as const;
const FRAMES = 1 << 15;
const ROUNDS = 7;

function benchOf(size: (typeof SIZES)[number]): Bench {
  const name = `compaction acl1 ${size}`;
  return { name, run: () => measure(name, size) };
}

async function measure(group: string, size: (typeof SIZES)[number]): Promise<readonly BenchRow[]> {
  const load = workload('acl1', size);
  const generator = createGenerator(load.trace, load.family);
  const floor = createArena(`bfb-${process.pid}-0`, generator);
  const arena = createArena(`bfb-${process.pid}-1`, generator);
  const live = openLiveFirewall({ family: 'ipv4', netns: arena.namespace, waitSeconds: 5 });
  try {
    FLOOR.install(floor, load);
    const { ruleset } = parseRuleset({ name: 'bench', text: load.iptables }, 'ipv4');
    live.apply(ruleset!, { counters: false });
    const { rules } = ruleset!.tables[0]!.chains.find(({ name }) => name === 'PREROUTING')!;
    const before = packetCost(floor, arena);
    let state = 1;
    const next = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const own: number[] = [];
    const due: number[] = [];
    let length = rules.length;
    let generations = 0;
    let at = performance.now();
    for (let i = 0; i < CHANGES; i++) {
      at = Math.max(at + EVERY[size], performance.now() - 1000);
      // Late or not, the event loop has its turn.
      await sleep(Math.max(0, at - performance.now()));
      const start = performance.now();
      const place = { table: 'raw', chain: 'PREROUTING', at: next(length) } as const;
      const insert = i % 2 === 0;
      const edit = insert
        ? ({ ...place, kind: 'insert', rule: rules[next(rules.length)]! } as const)
        : ({ ...place, kind: 'delete' } as const);
      if (live.change([edit]).how === 'generation') generations++;
      length += insert ? 1 : -1;
      const end = performance.now();
      own.push(end - start);
      due.push(end - at);
    }
    const { compactions } = live;
    const changed = packetCost(floor, arena);
    live.compact();
    await live.idle();
    const settled = packetCost(floor, arena);
    const tail = (values: readonly number[], name: string): BenchRow => {
      const sorted = [...values].sort((a, b) => a - b);
      const min = sorted[Math.floor(sorted.length * 0.99)]!;
      return { group, name, unit: 'ms', min, median: sorted.at(-1)!, bar: BARS[size]! };
    };
    const count = (name: string, value: number): BenchRow => ({ group, name, unit: '', min: value, median: value });
    return [
      { group, name: 'a change', unit: 'ms', ...sampleOf(own), bar: BARS[size]! },
      tail(own, 'a change: 99 of 100 below, longest'),
      tail(due, 'from when it is due: 99 of 100 below, longest'),
      count('put in order meanwhile', compactions),
      count('new generations', generations),
      { group, name: 'a packet before', unit: 'ns', ...before },
      { group, name: 'a packet after the changes', unit: 'ns', ...changed },
      { group, name: 'a packet, all in order', unit: 'ns', ...settled },
    ];
  } finally {
    live.close();
    withExclusiveSession(arena.namespace, 5, ({ layout }) => flush(layout));
    for (const one of [arena, floor]) one.close();
    generator.close();
  }
}

/** Nanoseconds that a frame takes more than where a program only drops. */
function packetCost(floor: Arena, arena: Arena): { readonly min: number; readonly median: number } {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, one] of [floor, arena].entries()) {
      one.rewind();
      times[i]!.push(one.inject(FRAMES));
    }
  }
  const [least, own] = times.map(sampleOf);
  return { min: own!.min - least!.min, median: own!.median - least!.median };
}

export const COMPACTION_BENCHES: readonly Bench[] = SIZES.map(benchOf);
