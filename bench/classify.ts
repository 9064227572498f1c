/**
 * Classifiers without the rest of the firewall. For each set: how long building takes, how large the result is, what a look-up
 * touches, and, as root on a kernel with BPF, what it costs there.
 *
 *     npx tsc -p bench/tsconfig.json && node bench/dist/bench/classify.js [--no-kernel] [NAME...]
 */
import { loadavg } from 'node:os';
import { buildClassifier, type Choice, type Classifier, lookup } from '../src/classify/classifier.ts';
import { extractRuns } from '../src/classify/extract.ts';
import type { Rows } from '../src/classify/rows.ts';
import { measureLookups } from './classify-kernel.ts';
import {
  enlargeSet,
  type FilterSet,
  filterRows,
  filterRows6,
  filterRules,
  readFilterSet,
  sourceSet,
} from './classify-sets.ts';

const CLASSBENCH_NAMES = ['acl1', 'fw1', 'ipc1'] as const;

function allSets(): readonly (() => FilterSet)[] {
  const sizes = (name: string): (() => FilterSet)[] => [
    () => thinned(readFilterSet(`${name}_1k`), 100),
    () => readFilterSet(`${name}_1k`),
    () => readFilterSet(`${name}_10k`),
    () => enlargeSet(readFilterSet(`${name}_10k`), 100_000),
  ];
  const sources = [100, 1000, 10_000, 100_000].map((count) => () => sourceSet(count));
  return [...CLASSBENCH_NAMES.flatMap(sizes), ...sources];
}

/** About `count` rules of a set, evenly taken. */
function thinned(set: FilterSet, count: number): FilterSet {
  const step = set.filters.length / count;
  const filters = Array.from({ length: count }, (_, i) => set.filters[Math.floor(i * step)]!);
  return { name: `${set.name}_${count}`, filters, trace: set.trace };
}

/** One line of the table. */
function report(name: string, rows: Rows, trace: Uint32Array, choice: Choice, inKernel: boolean): string | undefined {
  const dimensions = rows.max.length;
  // Once to warm up: a resident compiler is warm.
  buildClassifier(rows, choice);
  const start = performance.now();
  const classifier = buildClassifier(rows, choice);
  const buildMs = performance.now() - start;
  if (classifier.kind === 'linear') return undefined;
  const cost = { slots: 0, rows: 0, lookups: 0 };
  const headers = Math.min(20_000, trace.length / dimensions);
  for (let i = 0; i < headers; i++) lookup(classifier, trace.subarray(i * dimensions, (i + 1) * dimensions), 0, cost);
  const figures = inKernel ? measureLookups(classifier, trace) : undefined;
  const columns = [
    name.padEnd(16),
    String(rows.count).padStart(7),
    choice.padEnd(6),
    partsOf(classifier).padEnd(8),
    buildMs.toFixed(0).padStart(6),
    Math.ceil(classifier.cost.bytes / 1024)
      .toString()
      .padStart(7),
    (cost.slots / cost.lookups).toFixed(1).padStart(6),
    (cost.rows / cost.lookups).toFixed(1).padStart(5),
    classifier.cost.nanoseconds.toFixed(0).padStart(6),
    (figures?.min ?? Number.NaN).toFixed(0).padStart(6),
    (figures?.median ?? Number.NaN).toFixed(0).padStart(6),
    (figures?.loadMs ?? Number.NaN).toFixed(0).padStart(6),
  ];
  return columns.join(' ');
}

/** H for each hash, T for each tree, in the order they are asked. */
function partsOf(classifier: Classifier): string {
  return classifier.parts.map((part) => (part.hash === undefined ? 'T' : 'H')).join('');
}

/** Time from lowered rules to rows. */
function extraction(set: FilterSet): string {
  const rules = filterRules(set);
  extractRuns(rules);
  const start = performance.now();
  const segments = extractRuns(rules);
  const ms = performance.now() - start;
  return `${set.name.padEnd(16)} ${String(rules.length).padStart(7)} extraction: ${ms.toFixed(0)} ms, ${segments.map(({ kind }) => kind).join(' ')}`;
}

function main(given: readonly string[]): void {
  const inKernel = !given.includes('--no-kernel');
  const names = given.filter((word) => !word.startsWith('--'));
  const load = (): string =>
    `load ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}`;
  console.log(load());
  console.log(
    'set                 rows choice parts    build      KB  slots  rows  guess    min median   load\n' +
      '                                           ms              per look-up       ns     ns     ms',
  );
  for (const make of allSets()) {
    const set = make();
    if (names.length > 0 && !names.some((name) => set.name.startsWith(name))) continue;
    for (const choice of ['auto', 'trees', 'hashes'] as const) {
      if (choice === 'hashes' && !set.name.startsWith('source')) continue;
      const line = report(set.name, filterRows(set), set.trace, choice, inKernel);
      if (line !== undefined) console.log(line);
    }
    if (set.name.startsWith('source')) continue;
    console.log(extraction(set));
    const { rows, trace } = filterRows6(set);
    const line = report(`${set.name}_v6`, rows, trace, 'auto', inKernel);
    if (line !== undefined) console.log(line);
  }
  console.log(load());
}

main(process.argv.slice(2));
