/** `npm run bench [-- NAME...]`: runs the benchmarks whose names contain one of the words, prints a table and JSON. */
import { cpus, loadavg, release } from 'node:os';
import { loadTime } from './load-time.ts';
import { netfilterCost } from './netfilter-cost.ts';
import { type Bench, type BenchRow, formatRows, keepsBar } from './result.ts';

const BENCHES: readonly Bench[] = [netfilterCost, loadTime];

function run(words: readonly string[]): number {
  if (process.getuid?.() !== 0) {
    process.stderr.write('the benchmarks load BPF programs: run them as root\n');
    return 4;
  }
  const chosen = BENCHES.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
  const before = loadavg();
  const rows: BenchRow[] = chosen.flatMap((bench) => [...bench.run()]);
  const after = loadavg();
  const round = (values: readonly number[]): readonly number[] => values.map((value) => Math.round(value * 100) / 100);
  const machine = {
    kernel: release(),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    loadBefore: round(before),
    loadAfter: round(after),
  };
  process.stdout.write(`${formatRows(rows)}\n`);
  process.stdout.write(`load average ${machine.loadBefore.join(' ')} before, ${machine.loadAfter.join(' ')} after\n`);
  process.stdout.write(`${JSON.stringify({ version: 1, machine, rows })}\n`);
  return rows.some((row) => keepsBar(row) === false) ? 1 : 0;
}

process.exitCode = run(process.argv.slice(2));
