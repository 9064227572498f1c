/**
 * Live frames through the real stack: every contender drops the same packets at the same place, each in a namespace of its own. A time
 * counts only after all contenders have counted the same.
 */

import type { Bench, BenchRow } from '../result.ts';
import { sampleOf } from '../statistics.ts';
import { TRACE_ENTRIES } from '../trace.ts';
import { type Arena, createArena, createGenerator, type Generator } from './arena.ts';
import { CONTENDERS, type Contender, type Counted, FLOOR } from './contenders.ts';
import { type ShapeName, type Workload, workload } from './workload.ts';

const SIZES = [1, 10, 100, 1000, 10_000, 100_000] as const;
const SHAPES = ['source', 'five-tuple', 'prefix+range', 'acl1', 'fw1', 'ipc1'] as const satisfies readonly ShapeName[];
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
  const generator = createGenerator(load.trace);
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
  const frames = checkedFrames(load.filters.length);
  let reference: readonly number[] | undefined;
  const totals: { name: string; rules: number; policy: number }[] = [];
  for (const { contender, arena } of entries) {
    if (contender.counted === undefined) continue;
    arena.rewind();
    arena.inject(frames);
    const counted: Counted = contender.counted(arena);
    if (counted.kind === 'totals') {
      totals.push({ name: contender.name, rules: counted.rules, policy: counted.policy });
      continue;
    }
    const { packets } = counted;
    reference ??= packets;
    const differs = packets.findIndex((value, at) => value !== reference![at]);
    if (differs !== -1 || packets.length !== reference.length)
      throw new Error(
        `${group}: ${contender.name} counted rule ${differs + 1} otherwise: ${packets[differs]} and ${reference[differs]}`,
      );
    const policy = packets.at(-1)!;
    totals.push({ name: contender.name, rules: packets.reduce((a, b) => a + b, 0) - policy, policy });
  }
  for (const { name, rules, policy } of totals) {
    if (rules + policy !== frames || policy !== totals[0]!.policy)
      throw new Error(
        `${group}: ${name} counted ${rules} + ${policy} of ${frames} frames, ${totals[0]!.name} ${totals[0]!.policy} by policy`,
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
