/**
 * One rule changed in a run that is in use: how long it takes, what is written, and what look-ups cost afterwards.
 *
 *     npx tsc -p bench/tsconfig.json && node bench/dist/bench/live-changes.js [NAME...]
 *
 * Times are those of a warm process: deciding what to write, and writing it to the mapped map. No reader is about, so what
 * was replaced is released at once.
 */
import { loadavg } from 'node:os';
import { exit, mov } from '../src/bpf/assembly.ts';
import { buildProgram } from '../src/bpf/builder.ts';
import { R0 } from '../src/bpf/instruction.ts';
import { buildClassifier } from '../src/classify/classifier.ts';
import { regionLayout } from '../src/classify/image.ts';
import type { Change, Edit, LiveRule } from '../src/classify/live/change.ts';
import { boxOf } from '../src/classify/live/live-rows.ts';
import { createLiveRun, type LiveRun } from '../src/classify/live/live-run.ts';
import { type Rows, rowMatches, rowsBuilder } from '../src/classify/rows.ts';
import { type BpfMap, createMap } from '../src/kernel/map.ts';
import { BPF_F_MMAPABLE, openMapMemory } from '../src/kernel/map-memory.ts';
import { loadProgram } from '../src/kernel/program.ts';
import { prepareTestRun } from '../src/kernel/test-run.ts';
import { mixed, traceBytes } from './classify-kernel.ts';
import { enlargeSet, filterRows, readFilterSet, sourceSet } from './classify-sets.ts';
import { INDEX_MAP, keyPrologue, TRACE_ENTRIES, TRACE_MAP, traceLayout } from './classify-walk.ts';
import { emitLiveLookup } from './live-walk.ts';

const UPDATES = 1000;
const ROUNDS = 9;
const CHECKED = 300;
const ARRAY = { type: 'array', keySize: 4, maxEntries: 1 } as const;
const LIMITS = { levels: 24, leafSlots: 64 };

interface Subject {
  readonly name: string;
  readonly rows: Rows;
  /** One u32 for each dimension of each header. */
  readonly trace: Uint32Array;
}

function random(): (below: number) => number {
  let state = 12345;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function start({ rows }: Subject): LiveRun {
  const { parts } = buildClassifier(rows, 'auto');
  const slots = parts.reduce((sum, part) => sum + part.slots, 0);
  const places = parts.map((part, place) => ({ place, part }));
  return createLiveRun({
    rows,
    parts: places,
    spare: [0, 1, 2, 3].map((place) => parts.length + place),
    layout: regionLayout(rows.count + 2 * UPDATES + 256, Math.ceil(slots * 2.25) + 65_536),
    limits: LIMITS,
    passesOver: true,
    guards: [],
    counter: (row) => row * 16,
    action: () => 2,
  });
}

/** A rule like another: its addresses are moved under their own masks. */
function like(rows: Rows, row: number, by: number): LiveRule {
  const boxes = boxOf(rows, row).map(([lo, hi], d): readonly [number, number] => {
    const size = hi - lo + 1;
    if (rows.max[d] !== 0xffffffff || size > 2 ** 31 || (size & (size - 1)) !== 0) return [lo, hi];
    const moved = ((lo ^ by) & ~(size - 1)) >>> 0;
    return [moved, moved + size - 1];
  });
  return { boxes: [boxes], final: true, counter: by & 0xffff, action: 2 };
}

/** The row that should be found, by looking at all. */
function linear(live: LiveRun, key: Uint32Array): number {
  let best = -1;
  for (let row = 0; row < live.rows.count; row++) {
    if (live.rows.alive[row] === 0 || (best >= 0 && live.rows.order[row]! >= live.rows.order[best]!)) continue;
    if (rowMatches(live.rows, row, key)) best = row;
  }
  return best;
}

interface Lookups {
  /** Net nanoseconds, minimum and median. */
  measure(): readonly [number, number];
  check(): void;
  readonly memory: ReturnType<typeof openMapMemory>;
  close(): void;
}

function lookups(live: LiveRun, trace: Uint32Array): Lookups {
  const layout = traceLayout(live.rows.max);
  const dimensions = layout.places.length;
  const initial = new Uint8Array(live.region.buffer);
  const specs = [
    { ...ARRAY, name: 'up_region', valueSize: initial.length, flags: BPF_F_MMAPABLE, initial },
    { ...ARRAY, name: TRACE_MAP, valueSize: TRACE_ENTRIES * layout.stride, initial: traceBytes(trace, layout) },
    { ...ARRAY, name: INDEX_MAP, valueSize: 8 },
  ];
  const maps = new Map<string, BpfMap>(specs.map((spec) => [spec.name, createMap(spec)]));
  const prologue = keyPrologue(live.rows.plan, layout);
  const about = { map: 'up_region', layout: live.layout, plan: live.rows.plan, places: live.places, limits: LIMITS };
  const walk = loadProgram(
    buildProgram('up_walk', 'socket_filter', [...prologue, ...emitLiveLookup(about), exit()]),
    maps,
  );
  const empty = loadProgram(buildProgram('up_empty', 'socket_filter', [...prologue, mov.imm(R0, 0), exit()]), maps);
  const memory = openMapMemory(maps.get('up_region')!);
  const data = new Uint8Array(64);
  return {
    memory,
    measure() {
      const run = prepareTestRun(walk, { data, repeat: TRACE_ENTRIES });
      const none = prepareTestRun(empty, { data, repeat: TRACE_ENTRIES });
      const times: number[] = [];
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < ROUNDS; i++) {
        least = Math.min(least, none().durationNs);
        times.push(run().durationNs);
      }
      times.sort((a, b) => a - b);
      return [times[0]! - least, times[times.length >> 1]! - least];
    },
    check() {
      const once = prepareTestRun(walk, { data });
      maps.get(INDEX_MAP)!.writeValue(new Uint8Array(8));
      const headers = trace.length / dimensions;
      for (let i = 0; i < CHECKED; i++) {
        const at = mixed(i, headers) * dimensions;
        const want = linear(live, trace.subarray(at, at + dimensions));
        const row = once().retval | 0;
        if (row !== want) throw new Error(`header ${i}: row ${row}, expected ${want}`);
      }
    },
    close() {
      for (const one of [memory, walk, empty, ...maps.values()]) one.close();
    },
  };
}

/** Median, 99 of 100, and the longest. */
function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  return `${at(0.5)}/${at(0.99)}/${at(0.9999)}`;
}

function report(subject: Subject): string {
  const live = start(subject);
  const { rows } = subject;
  const look = lookups(live, subject.trace);
  try {
    look.check();
    const fresh = look.measure();
    const next = random();
    const ids = Array.from({ length: live.rules }, (_, id) => id);
    const times = new Map<string, number[]>();
    const bytes: number[] = [];
    const apply = (kind: string, edits: readonly Edit[]): Change => {
      const begun = performance.now();
      const change = live.change(edits);
      if (change.kind === 'full') throw new Error(`${kind}: ${change.why} ${JSON.stringify(live.status())}`);
      look.memory.apply(change);
      const took = performance.now() - begun;
      times.set(kind, [...(times.get(kind) ?? []), took]);
      bytes.push(change.writes.reduce((sum, write) => sum + write.bytes.length, 4));
      live.release(change.number);
      return change;
    };
    for (let i = 0; i < UPDATES; i++) {
      const rule = like(rows, next(rows.count), (i * 0x9e3779b1) & 0x00ffffff);
      const where = next(ids.length);
      switch (i % 6) {
        case 0:
          ids.unshift(...apply('head', [{ kind: 'insert', rule, before: ids[0]! }]).ids);
          break;
        case 1:
          ids.splice(where, 0, ...apply('middle', [{ kind: 'insert', rule, before: ids[where]! }]).ids);
          break;
        case 2:
          ids.push(...apply('tail', [{ kind: 'insert', rule }]).ids);
          break;
        case 5:
          apply('replace', [{ kind: 'replace', id: ids[where]!, rule }]);
          break;
        default:
          apply('delete', [{ kind: 'remove', id: ids[where]! }]);
          ids.splice(where, 1);
      }
    }
    look.check();
    const after = look.measure();
    const { overlayRows, fragmentation } = live.status();
    const begun = performance.now();
    const taken = live.snapshot();
    const { parts } = buildClassifier(taken.rows, 'trees');
    const built = performance.now();
    const adopted = live.adopt(parts);
    if (adopted.kind === 'change') look.memory.apply(adopted);
    const moved = performance.now();
    if (adopted.kind === 'change') look.check();
    const compact = adopted.kind === 'change' ? look.measure() : [Number.NaN, Number.NaN];
    bytes.sort((a, b) => a - b);
    return [
      subject.name.padEnd(12),
      String(rows.count).padStart(7),
      ...[...times].map(([kind, values]) => `${kind} ${spread(values)}`),
      `KB ${(bytes[UPDATES >> 1]! / 1024).toFixed(1)}/${(bytes[UPDATES - 1]! / 1024).toFixed(0)}`,
      `ns ${fresh.map((ns) => ns.toFixed(0)).join('/')} -> ${after.map((ns) => ns.toFixed(0)).join('/')} -> ${compact.map((ns) => ns.toFixed(0)).join('/')}`,
      `overlay ${overlayRows} fragmentation ${fragmentation.toFixed(2)} rebuilt ${(built - begun).toFixed(0)} + ${(moved - built).toFixed(0)} ms`,
    ].join('  ');
  } finally {
    look.close();
  }
}

/** A set of a million addresses, and one of them after the other. */
function millionElements(): string {
  const count = 1_000_000;
  const address = (i: number): number => (Math.imul(i + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  const begun = performance.now();
  const builder = rowsBuilder([0xffffffff], count);
  for (let i = 0; i < count; i++) {
    builder.add(i, true);
    builder.narrow(0, address(i), address(i));
  }
  const live = start({ name: 'set', rows: builder.finish(), trace: new Uint32Array(0) });
  const built = performance.now();
  const initial = new Uint8Array(live.region.buffer);
  const map = createMap({ ...ARRAY, name: 'up_set', valueSize: initial.length, flags: BPF_F_MMAPABLE, initial });
  const memory = openMapMemory(map);
  const loaded = performance.now();
  try {
    const added: number[] = [];
    const removed: number[] = [];
    const next = random();
    for (let i = 0; i < UPDATES; i++) {
      const value = address(count + i);
      const rule: LiveRule = { boxes: [[[value, value]]], final: true, counter: 0, action: 2 };
      const edits: Edit[] = i % 2 === 0 ? [{ kind: 'insert', rule }] : [{ kind: 'remove', id: next(count) }];
      const at = performance.now();
      const change = live.change(edits);
      if (change.kind === 'full') throw new Error(change.why);
      memory.apply(change);
      (i % 2 === 0 ? added : removed).push(performance.now() - at);
      if (i % 16 === 0) live.release(change.number);
    }
    const megabytes = (initial.length / 2 ** 20).toFixed(0);
    const ms = `${(built - begun).toFixed(0)} + ${(loaded - built).toFixed(0)}`;
    return `1,000,000 addresses: built and loaded ${ms} ms, ${megabytes} MiB; add ${spread(added)} remove ${spread(removed)} ms`;
  } finally {
    memory.close();
    map.close();
  }
}

function subjects(): readonly (() => Subject)[] {
  const sets = ['acl1', 'fw1', 'ipc1'].flatMap((name) => [
    () => readFilterSet(`${name}_1k`),
    () => readFilterSet(`${name}_10k`),
    () => ({ ...enlargeSet(readFilterSet(`${name}_10k`), 100_000), name: `${name}_100k` }),
  ]);
  const sources = [10_000, 100_000].map((count) => () => sourceSet(count));
  return [...sets, ...sources].map((make) => () => {
    const set = make();
    return { name: set.name, rows: filterRows(set), trace: set.trace };
  });
}

function main(words: readonly string[]): void {
  console.log(
    'ms: median/99%/longest for each kind; KB written: median/most; ns a look-up, min/median: fresh -> after -> compacted',
  );
  for (const make of subjects()) {
    const subject = make();
    if (words.length > 0 && !words.some((word) => subject.name.includes(word))) continue;
    console.log(report(subject));
  }
  if (words.length === 0 || words.includes('set')) console.log(millionElements());
  console.log(
    `load average ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
}

main(process.argv.slice(2));
