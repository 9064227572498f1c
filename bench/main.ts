/**
 * `npm run bench [-- [--write] [--quick] NAME...]`: runs the benchmarks that the words name, prints a table and JSON. `--write` puts their tables
 * into docs/performance.md; `--quick` leaves out what takes long.
 */
import { cpus, loadavg, release } from 'node:os';
import { CLASSIFICATION_BENCHES } from './classification.ts';
import { commandTimes } from './commands.ts';
import { earlyDrop } from './early-drop.ts';
import { earlyGoodput } from './early-goodput.ts';
import { loadTime } from './load-time.ts';
import { writeTables } from './markdown.ts';
import { netfilterCost } from './netfilter-cost.ts';
import { type Bench, type BenchRow, formatRows, keepsBar } from './result.ts';
import { COMPACTION_BENCHES } from './rivals/compaction.ts';
import { CONTROL_BENCHES } from './rivals/control.ts';
import { LIVE_BENCHES } from './rivals/live.ts';
import { SETS } from './rivals/sets.ts';
import { STACK_BENCHES } from './rivals/stack.ts';
import { supervised } from './supervise.ts';

const BENCHES: readonly Bench[] = [
  netfilterCost,
  loadTime,
  commandTimes,
  supervised,
  earlyDrop,
  earlyGoodput,
  ...CLASSIFICATION_BENCHES,
  ...CONTROL_BENCHES,
  ...LIVE_BENCHES,
  ...COMPACTION_BENCHES,
  SETS,
  ...STACK_BENCHES,
];

interface Machine {
  readonly kernel: string;
  readonly node: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly loadBefore: readonly number[];
  readonly loadAfter: readonly number[];
}

function remarkOf({ kernel, node, cpu, cpus, loadBefore, loadAfter }: Machine): string {
  return `Linux ${kernel}, ${cpus} CPUs of ${cpu}, Node ${node}; load average ${loadBefore.join(' ')} before, ${loadAfter.join(' ')} after.`;
}

/** A word names a benchmark by its whole name, by its beginning or by a word of it. */
function means(word: string, name: string): boolean {
  return name === word || name.startsWith(`${word} `) || name.split(' ').includes(word);
}

/** What `--quick` leaves out: sizes of the stack benchmarks that say little beside their neighbours, or take long. */
function isSlow(name: string): boolean {
  return /^stack .* (1|100|100000)$/.test(name) && name !== 'stack acl1 100000';
}

const DOCUMENT = 'docs/performance.md';

async function run(
  words: readonly string[],
  { write, quick }: { readonly write: boolean; readonly quick: boolean },
): Promise<number> {
  if (process.getuid?.() !== 0) {
    process.stderr.write('the benchmarks load BPF programs: run them as root\n');
    return 4;
  }
  const chosen = BENCHES.filter(
    ({ name }) => (!quick || !isSlow(name)) && (words.length === 0 || words.some((word) => means(word, name))),
  );
  const before = loadavg();
  const rows: BenchRow[] = [];
  let failed = false;
  for (const bench of chosen) {
    const start = performance.now();
    try {
      const own = await bench.run();
      rows.push(...own);
      process.stderr.write(
        `${formatRows(own)}(${bench.name}: ${((performance.now() - start) / 1000).toFixed(0)} s)\n\n`,
      );
    } catch (error) {
      failed = true;
      process.stderr.write(`${bench.name} failed: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  const after = loadavg();
  const round = (values: readonly number[]): readonly number[] => values.map((value) => Math.round(value * 100) / 100);
  const machine: Machine = {
    kernel: release(),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    loadBefore: round(before),
    loadAfter: round(after),
  };
  process.stdout.write(`${formatRows(rows)}\n`);
  process.stdout.write(`load average ${machine.loadBefore.join(' ')} before, ${machine.loadAfter.join(' ')} after\n`);
  if (write) writeTables(DOCUMENT, rows, remarkOf(machine));
  process.stdout.write(`${JSON.stringify({ version: 1, machine, rows })}\n`);
  return failed || rows.some((row) => keepsBar(row) === false) ? 1 : 0;
}

const given = process.argv.slice(2);
const flags = new Set(given.filter((word) => word.startsWith('--')));
process.exitCode = await run(
  given.filter((word) => !flags.has(word)),
  { write: flags.has('--write'), quick: flags.has('--quick') },
);
