/**
 * What finding the rule costs: the compiled program of a hook over an empty program, headers that do not repeat. The filters of a
 * workload become iptables text first, so that the whole way from text to program is measured.
 */
import { exit, mov } from '../src/bpf/assembly.ts';
import { buildProgram } from '../src/bpf/builder.ts';
import { R0 } from '../src/bpf/instruction.ts';
import { compileGeneration } from '../src/codegen/compile.ts';
import { formatDiagnostic } from '../src/diagnostics/diagnostic.ts';
import { readKernelFacts } from '../src/kernel/facts.ts';
import { type BpfMap, createMap } from '../src/kernel/map.ts';
import { loadProgram, programInfo } from '../src/kernel/program.ts';
import { netfilterInput, prepareTestRun } from '../src/kernel/test-run.ts';
import { parseRuleset } from '../src/languages/iptables/parse.ts';
import { lowerTable } from '../src/lowering/lower-table.ts';
import type { Bench, BenchRow } from './result.ts';
import { packetsOf } from './rivals/arena.ts';
import { type ShapeName, workload } from './rivals/workload.ts';
import { interleave } from './statistics.ts';
import { traceMaps, withIdleTrace, withTrace } from './trace.ts';

const ROUNDS = 15;
/** One call takes about 20 ms at 100 ns. */
const REPEAT = 200_000;

interface Case {
  readonly shape: ShapeName;
  readonly size: number;
  /** Nanoseconds over the empty program that must not be exceeded. */
  readonly bar?: number;
}

const CLASSBENCH = ['acl1', 'fw1', 'ipc1'] as const;
const SIZES = [
  { size: 100 },
  { size: 1000, bar: 80 },
  { size: 10_000, bar: 200 },
  { size: 100_000, bar: 600 },
] as const;

const CASES: readonly Case[] = [
  ...CLASSBENCH.flatMap((shape) => SIZES.map((size): Case => ({ shape, ...size }))),
  { shape: 'source', size: 10_000, bar: 60 },
  { shape: 'source', size: 100_000 },
  { shape: 'five-tuple', size: 10_000 },
  { shape: 'five-tuple first', size: 10_000 },
  { shape: 'five-tuple miss', size: 10_000 },
  { shape: 'prefix+range', size: 10_000 },
  { shape: 'acl1-v6', size: 1000 },
  { shape: 'acl1-v6', size: 10_000 },
  { shape: 'docker', size: 10_000 },
  { shape: 'kube-proxy', size: 10_000 },
];

function benchOf(item: Case): Bench {
  const name = `classification ${item.shape} ${item.size}`;
  return { name, run: () => measure(name, item) };
}

function measure(group: string, { shape, size, bar }: Case): readonly BenchRow[] {
  const facts = readKernelFacts();
  const { iptables, family, trace } = workload(shape, size);
  const headers = packetsOf(trace, family);
  const source = { name: group, text: iptables };
  const started = performance.now();
  const { ruleset } = parseRuleset(source, family);
  const policies = (ruleset?.tables ?? []).flatMap((table) => lowerTable(table, family).policy ?? []);
  const { generation, diagnostics } = compileGeneration({ policies, facts });
  const compileMs = performance.now() - started;
  const hook = generation?.hooks.find((candidate) => candidate.hook === 'PREROUTING');
  if (generation === undefined || hook === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));

  const empty = buildProgram('empty', 'netfilter', [mov.imm(R0, 1), exit()]);
  const maps = new Map<string, BpfMap>(
    [...generation.maps, ...traceMaps(headers)].map((spec) => [spec.name, createMap(spec)]),
  );
  const input = netfilterInput(family, 'PREROUTING', headers[0]!, REPEAT);
  const programs = [withIdleTrace(empty), withTrace(hook.program, facts)].map((spec) => loadProgram(spec, maps));
  try {
    const runs = programs.map((program) => prepareTestRun(program, input));
    const [base, own] = interleave(
      runs.map((run) => () => run().durationNs),
      ROUNDS,
    );
    const { verifiedInstructions, jitedBytes } = programInfo(programs[1]!);
    const count = (name: string, value: number): BenchRow => ({ group, name, unit: '', min: value, median: value });
    const mapBytes = generation.maps.reduce((sum, { valueSize, maxEntries }) => sum + valueSize * maxEntries, 0);
    return [
      {
        group,
        name: 'look-up',
        unit: 'ns',
        ...own!,
        overMin: own!.min - base!.min,
        overMedian: own!.median - base!.median,
        ...(bar === undefined ? {} : { bar }),
      },
      { group, name: 'text to program', unit: 'ms', min: compileMs, median: compileMs },
      count('instructions verified', verifiedInstructions),
      { group, name: 'machine code', unit: 'KiB', min: jitedBytes / 1024, median: jitedBytes / 1024 },
      { group, name: 'maps', unit: 'KiB', min: mapBytes / 1024, median: mapBytes / 1024 },
    ];
  } finally {
    for (const program of programs) program.close();
    for (const map of maps.values()) map.close();
  }
}

export const CLASSIFICATION_BENCHES: readonly Bench[] = CASES.map(benchOf);
