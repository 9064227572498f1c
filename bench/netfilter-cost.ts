/** What a policy costs at a netfilter hook, over a program that only accepts. */
import { exit, mov } from '../src/bpf/assembly.ts';
import { buildProgram } from '../src/bpf/builder.ts';
import type { KernelFacts } from '../src/bpf/facts.ts';
import { R0 } from '../src/bpf/instruction.ts';
import type { MapSpec, ProgramSpec } from '../src/bpf/program.ts';
import { compileGeneration } from '../src/codegen/compile.ts';
import { formatDiagnostic } from '../src/diagnostics/diagnostic.ts';
import { readKernelFacts } from '../src/kernel/facts.ts';
import { type BpfMap, createMap } from '../src/kernel/map.ts';
import { loadProgram } from '../src/kernel/program.ts';
import { netfilterInput, prepareTestRun } from '../src/kernel/test-run.ts';
import { parseRuleset } from '../src/languages/iptables/parse.ts';
import { lowerTable } from '../src/lowering/lower-table.ts';
import { ipv4 } from '../src/packet/craft.ts';
import { TCP_FLAGS, tcp, udp } from '../src/packet/transport.ts';
import type { Bench, BenchRow } from './result.ts';
import { interleave } from './statistics.ts';
import { traceMaps, withIdleTrace, withTrace } from './trace.ts';

const ROUNDS = 31;
/** So that one call takes about 20 ms. */
const REPEAT = 400_000;
const RULES = 10;
const GROUP = 'netfilter hook';

const HEAD = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n';

interface FiveTuple {
  readonly source: string;
  readonly destination: string;
  readonly sport: number;
  readonly dport: number;
  readonly protocol: 'tcp' | 'udp';
}

function tupleOf(index: number): FiveTuple {
  return {
    source: `10.1.${index}.${7 * index + 1}`,
    destination: `10.2.${3 * index}.9`,
    sport: 1024 + 17 * index,
    dport: 80 + index,
    protocol: index % 3 === 0 ? 'udp' : 'tcp',
  };
}

function ruleOf({ source, destination, sport, dport, protocol }: FiveTuple): string {
  return `-A INPUT -s ${source}/32 -d ${destination}/32 -p ${protocol} -m ${protocol} --sport ${sport} --dport ${dport} -j DROP`;
}

function packetOf({ source, destination, sport, dport, protocol }: FiveTuple): Uint8Array {
  const ports = { source: sport, destination: dport };
  const data = new Uint8Array(24);
  // Both kinds are 64 bytes long, like the table's entries.
  return ipv4(
    { source, destination },
    protocol === 'tcp' ? tcp({ ...ports, flags: TCP_FLAGS.ACK, data }) : udp({ ...ports, data: new Uint8Array(36) }),
  );
}

/** Numbers without a pattern that a predictor could learn, the same in every run. */
function scrambled(count: number): readonly number[] {
  let state = 0x9e3779b9;
  return Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  });
}

/** Packets of which none matches, though many share addresses, ports or protocol with a rule. */
function missing(): readonly Uint8Array[] {
  return scrambled(1 << 14).map((value) => {
    const near = tupleOf(value % RULES);
    const changed: Partial<FiveTuple>[] = [
      { source: `10.9.${(value >>> 8) & 255}.${(value >>> 16) & 255}` },
      { destination: `10.8.${(value >>> 8) & 255}.${(value >>> 16) & 255}` },
      { sport: 30000 + ((value >>> 8) & 0xfff) },
      { dport: 30000 + ((value >>> 8) & 0xfff) },
      {
        source: `172.16.${(value >>> 8) & 255}.1`,
        destination: `172.17.${(value >>> 16) & 255}.1`,
        sport: 5,
        dport: 6,
      },
    ];
    return packetOf({ ...near, ...changed[(value >>> 28) % changed.length]! });
  });
}

/** Packets that match each rule, and none, equally often. */
function uniform(): readonly Uint8Array[] {
  const others = missing();
  return scrambled(1 << 14).map((value, index) => {
    const which = value % (RULES + 1);
    return which === RULES ? others[index]! : packetOf(tupleOf(which));
  });
}

interface Compiled {
  readonly program: ProgramSpec;
  readonly maps: readonly MapSpec[];
}

function compile(text: string, facts: KernelFacts): Compiled {
  const { ruleset } = parseRuleset({ name: 'bench', text }, 'ipv4');
  const policies = (ruleset?.tables ?? []).flatMap((table) => lowerTable(table, 'ipv4').policy ?? []);
  const { generation, diagnostics } = compileGeneration({ policies, facts });
  const hook = generation?.hooks.find((candidate) => candidate.hook === 'INPUT');
  if (generation === undefined || hook === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return { program: hook.program, maps: generation.maps };
}

/** Loads a program with its maps; returns a function that runs it REPEAT times and tells the nanoseconds of one run. */
function prepare(program: ProgramSpec, specs: readonly MapSpec[], packet: Uint8Array): () => number {
  const maps = new Map<string, BpfMap>(specs.map((spec) => [spec.name, createMap(spec)]));
  const loaded = loadProgram(program, maps);
  const run = prepareTestRun(loaded, netfilterInput('ipv4', 'INPUT', packet, REPEAT));
  return () => run().durationNs;
}

function rows(): readonly BenchRow[] {
  const facts = readKernelFacts();
  const empty = buildProgram('empty', 'netfilter', [mov.imm(R0, 1), exit()]);
  const policy = compile(`${HEAD}COMMIT\n`, facts);
  const rules = Array.from({ length: RULES }, (_, index) => ruleOf(tupleOf(index)));
  const ten = compile(`${HEAD}${rules.join('\n')}\nCOMMIT\n`, facts);
  const packet = missing()[0]!;
  const misses = traceMaps(missing());
  const mixed = traceMaps(uniform());
  const reads = (compiled: Compiled, trace: readonly MapSpec[]): (() => number) =>
    prepare(withTrace(compiled.program, facts), [...compiled.maps, ...trace], packet);

  const cases: readonly { name: string; measure: () => number; bar?: number }[] = [
    { name: 'empty program', measure: prepare(withIdleTrace(empty), misses, packet) },
    {
      name: 'policy without rules',
      measure: prepare(withIdleTrace(policy.program), [...policy.maps, ...misses], packet),
      bar: 15,
    },
    { name: 'ten 5-tuple rules, no match', measure: reads(ten, misses), bar: 40 },
    { name: 'ten 5-tuple rules, any or none', measure: reads(ten, mixed), bar: 40 },
  ];
  const samples = interleave(
    cases.map(({ measure }) => measure),
    ROUNDS,
  );
  const base = samples[0]!;
  return cases.map(({ name, bar }, index) => {
    const { min, median } = samples[index]!;
    const over = index === 0 ? {} : { overMin: min - base.min, overMedian: median - base.median };
    return { group: GROUP, name, unit: 'ns', min, median, ...over, ...(bar === undefined ? {} : { bar }) };
  });
}

export const netfilterCost: Bench = { name: GROUP, run: rows };
