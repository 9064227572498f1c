/**
 * Live frames through the real stack: every contender drops the same packets at the same place, each in a namespace of its own. A time
 * counts only after all contenders have counted the same.
 */

import type { Bench, BenchRow } from '../result.ts';
import { sampleOf } from '../statistics.ts';
import { TRACE_ENTRIES } from '../trace.ts';
import { type Arena, createArena, createGenerator, type Generator } from './arena.ts';
import { CONTENDERS, type Contender, type Counted, FLOOR } from './contenders.ts';
import { SHAPES, type ShapeName, type Workload, workload } from './workload.ts';

const SIZES = [1, 10, 100, 1000, 10_000, 100_000] as const;
const ROUNDS = 7;
/** One measurement takes about this long. */
const TARGET_NS = 25e6;
/** Frames are injected in batches of 64. */
const BATCH = 64;

interface Entry {
  readonly contender: Contender;
  readonly arena: Arena;
  readonly installMs: number;
  frames: number;
  readonly times: number[];
}

function benchOf(shape: ShapeName, size: number): Bench {
  const group = `stack ${shape} ${size}`;
  return { name: group, run: () => compare(group, workload(shape, size)) };
}

function compare(group: string, load: Workload): readonly BenchRow[] {
  const generator = createGenerator(load.trace, load.family);
  const entries: Entry[] = [];
  try {
    for (const [index, contender] of [FLOOR, ...CONTENDERS].entries()) {
      const why = contender.excused?.(load);
      if (why !== undefined) {
        process.stderr.write(`${group}: without ${contender.name}: ${why}\n`);
        continue;
      }
      entries.push(enter(`bfb-${process.pid}-${index}`, generator, contender, load));
    }
    checkEqual(group, entries, load);
    measure(entries);
    return rowsOf(group, entries);
  } finally {
    for (const { contender, arena } of entries) {
      contender.remove?.(arena);
      arena.close();
    }
    generator.close();
  }
}

function enter(name: string, generator: Generator, contender: Contender, load: Workload): Entry {
  const arena = createArena(name, generator);
  try {
    return { contender, arena, installMs: contender.install(arena, load), frames: BATCH, times: [] };
  } catch (error) {
    arena.close();
    throw error;
  }
}

/** Linear contenders must get through it in some seconds. */
function checkedFrames(rules: number): number {
  return Math.max(1024, Math.min(TRACE_ENTRIES, Math.floor(2e8 / rules / BATCH) * BATCH));
}

/** Sends the same headers to all; throws when they did not count alike. */
function checkEqual(group: string, entries: readonly Entry[], load: Workload): void {
  const frames = checkedFrames(load.rules);
  let reference: (Counted & { readonly kind: 'rules' }) | undefined;
  const policies: { name: string; policy: number }[] = [];
  for (const { contender, arena } of entries) {
    if (contender.counted === undefined) continue;
    arena.rewind();
    arena.inject(frames);
    const counted = contender.counted(arena, load);
    if (counted === undefined) continue;
    policies.push({ name: contender.name, policy: counted.policy });
    if (counted.kind === 'totals') {
      if (counted.rules + counted.policy !== frames)
        throw new Error(`${group}: ${contender.name} counted ${counted.rules + counted.policy} of ${frames} frames`);
      continue;
    }
    reference ??= counted;
    for (const [rule, packets] of reference.packets) {
      const own = counted.packets.get(rule);
      if (own !== packets) throw new Error(`${group}: ${contender.name} counted ${own} at ${rule}, not ${packets}`);
    }
  }
  for (const { name, policy } of policies) {
    if (policy !== policies[0]!.policy)
      throw new Error(
        `${group}: the policy of ${name} counted ${policy}, of ${policies[0]!.name} ${policies[0]!.policy}`,
      );
  }
}

/** All in turn, so that whatever else the machine does meets them all. */
function measure(entries: readonly Entry[]): void {
  for (const entry of entries) {
    entry.arena.inject(BATCH);
    const ns = Math.max(1, entry.arena.inject(BATCH));
    entry.frames = Math.max(BATCH, Math.min(TRACE_ENTRIES, Math.floor(TARGET_NS / ns / BATCH) * BATCH));
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const entry of entries) entry.times.push(entry.arena.inject(entry.frames));
  }
}

function rowsOf(group: string, entries: readonly Entry[]): readonly BenchRow[] {
  const floor = sampleOf(entries[0]!.times);
  return entries.flatMap(({ contender, times, installMs }, index): BenchRow[] => {
    const { min, median } = sampleOf(times);
    const over = index === 0 ? {} : { overMin: min - floor.min, overMedian: median - floor.median };
    const time: BenchRow = { group, name: contender.name, unit: 'ns', min, median, ...over };
    return index === 0
      ? [time]
      : [time, { group, name: `${contender.name}: load`, unit: 'ms', min: installMs, median: installMs }];
  });
}

export const STACK_BENCHES: readonly Bench[] = SHAPES.flatMap((shape) => SIZES.map((size) => benchOf(shape, size)));
