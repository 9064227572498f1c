/** What it takes to change the rules: everything at once, and one rule more. Rivals are whole commands, as people run them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flush } from '../../src/firewall/flush.ts';
import { applyPlans } from '../../src/firewall/install.ts';
import { planFamily } from '../../src/firewall/plan.ts';
import { readInForce } from '../../src/firewall/read.ts';
import { withExclusiveSession, withSession } from '../../src/firewall/session.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { ipBatch, run } from '../../test/support/command.ts';
import type { Bench, BenchRow } from '../result.ts';
import { sampleOf } from '../statistics.ts';
import { dotted } from './texts.ts';

const SIZES = [1000, 10_000, 100_000] as const;
const BARS: Readonly<Record<number, number>> = { 1000: 60, 10000: 300, 100000: 3000 };
const ROUNDS = 3;

function source(i: number): string {
  return dotted((Math.imul(i + 1, 0x9e3779b1) >>> 3) + 0x0a000000);
}

export function rule(i: number): string {
  return `-s ${source(i)}/32 -p tcp -m tcp --dport ${1 + (i % 65_000)} -j DROP`;
}

export function indexes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

export function iptablesText(count: number): string {
  const rules = indexes(count).map((i) => `-A INPUT ${rule(i)}\n`);
  return `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.join('')}COMMIT\n`;
}

function nftText(count: number): string {
  const rules = indexes(count).map((i) => `ip saddr ${source(i)} tcp dport ${1 + (i % 65_000)} counter drop\n`);
  return `table ip bench {\nchain c { type filter hook input priority filter;\n${rules.join('')}}\n}\n`;
}

interface Command {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly input?: string;
}

/** Each list runs in a namespace of its own, in order; each command counts. */
function rivals(count: number): readonly (readonly Command[])[] {
  const legacy = (kind: string): readonly Command[] => [
    { name: `iptables-${kind}-restore`, argv: [`iptables-${kind}-restore`], input: iptablesText(count) },
    { name: `iptables-${kind} -A`, argv: [`iptables-${kind}`, '-A', 'INPUT', ...rule(count).split(' ')] },
    { name: `iptables-${kind} -I`, argv: [`iptables-${kind}`, '-I', 'INPUT', ...rule(count + 1).split(' ')] },
    { name: `iptables-${kind} -D`, argv: [`iptables-${kind}`, '-D', 'INPUT', '1'] },
  ];
  const elements = indexes(count).map((i) => `add bench ${source(i)}\n`);
  return [
    legacy('legacy'),
    legacy('nft'),
    [
      { name: 'nft -f', argv: ['nft', '-f', '-'], input: nftText(count) },
      { name: 'nft add rule', argv: ['nft', 'add', 'rule', 'ip', 'bench', 'c', 'ip', 'saddr', source(count), 'drop'] },
    ],
    [
      {
        name: 'ipset restore',
        argv: ['ipset', 'restore'],
        input: `create bench hash:ip maxelem ${count * 2}\n${elements.join('')}`,
      },
      { name: 'ipset add', argv: ['ipset', 'add', 'bench', source(count)] },
    ],
  ];
}

function benchOf(count: number): Bench {
  const name = `control ${count}`;
  return {
    name,
    run: () => [
      ...rivals(count).flatMap((commands) => runCommands(name, commands)),
      ...bpfilterRows(name, iptablesText(count), BARS[count]),
    ],
  };
}

const MILLION = 1_000_000;

/** A million rules that differ in one address, without rivals: these take minutes. */
const million: Bench = {
  name: `control ${MILLION}`,
  run() {
    const rules = indexes(MILLION).map((i) => `-A INPUT -s ${dotted(Math.imul(i + 1, 0x9e3779b1))}/32 -j DROP\n`);
    const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.join('')}COMMIT\n`;
    return bpfilterRows(this.name, text, 5000);
  },
};

export function inNamespace<T>(action: (namespace: string) => T): T {
  const namespace = `bfb-${process.pid}-control`;
  ipBatch([`netns add ${namespace}`]);
  try {
    return action(namespace);
  } finally {
    ipBatch([`netns del ${namespace}`]);
  }
}

function runCommands(group: string, commands: readonly Command[]): readonly BenchRow[] {
  const times = commands.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    inNamespace((namespace) => {
      commands.forEach(({ argv, input }, index) => {
        const start = performance.now();
        run('ip', ['netns', 'exec', namespace, ...argv], input, { XTABLES_LOCKFILE: `/run/${namespace}.lock` });
        times[index]!.push(performance.now() - start);
      });
    });
  }
  return commands.map(({ name }, index) => ({ group, name, unit: 'ms', ...sampleOf(times[index]!) }));
}

/** In a warm process, step by step, and as a command from cold. */
function bpfilterRows(group: string, text: string, bar: number | undefined): readonly BenchRow[] {
  const facts = readKernelFacts();
  const times = { read: [] as number[], plan: [] as number[], install: [] as number[], all: [] as number[] };
  const figures = inNamespace((namespace) => {
    const last = (): readonly BenchRow[] => kernelRows(group, namespace);
    try {
      for (let round = 0; round <= ROUNDS; round++) {
        const start = performance.now();
        const { ruleset } = parseRuleset({ name: 'bench', text }, 'ipv4');
        const read = performance.now();
        const { plan } = planFamily(ruleset!, facts, { counters: false });
        const planned = performance.now();
        withExclusiveSession(namespace, 5, ({ layout }) => applyPlans(layout, [plan!]));
        const end = performance.now();
        // The first round warms up.
        if (round === 0) continue;
        times.read.push(read - start);
        times.plan.push(planned - read);
        times.install.push(end - planned);
        times.all.push(end - start);
      }
      return last();
    } finally {
      withExclusiveSession(namespace, 5, ({ layout }) => flush(layout));
    }
  });
  const row = (name: string, values: readonly number[], bar?: number): BenchRow => {
    return { group, name, unit: 'ms', ...sampleOf(values), ...(bar === undefined ? {} : { bar }) };
  };
  return [
    row('bpfilter, warm: read', times.read),
    row('bpfilter, warm: lower and compile', times.plan),
    row('bpfilter, warm: load, verify, switch', times.install),
    row('bpfilter, warm: all', times.all, bar),
    row('bpfilter apply, cold command', coldCommand(text)),
    ...figures,
  ];
}

function coldCommand(text: string): readonly number[] {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const file = join(folder, 'rules.v4');
    writeFileSync(file, text);
    return inNamespace((namespace) => {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const start = performance.now();
        const { status, stderr } = spawnSync(process.execPath, ['bin/bpfilter', 'apply', '--netns', namespace, file]);
        if (status !== 0) throw new Error(`bpfilter apply: ${String(stderr)}`);
        times.push(performance.now() - start);
      }
      withExclusiveSession(namespace, 5, ({ layout }) => flush(layout));
      return times;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function kernelRows(group: string, namespace: string): readonly BenchRow[] {
  const family = withSession(namespace, ({ layout }) => readInForce(layout))?.families[0];
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const instructions = sum((family?.programs ?? []).map((program) => program.instructions));
  const jited = sum((family?.programs ?? []).map((program) => program.jitedBytes)) / 1024;
  const rss = process.memoryUsage.rss() / 1024;
  return [
    { group, name: 'bpfilter: instructions', unit: '', min: instructions, median: instructions },
    { group, name: 'bpfilter: machine code', unit: 'KiB', min: jited, median: jited },
    { group, name: 'bpfilter: this process', unit: 'KiB', min: rss, median: rss },
  ];
}

export const CONTROL_BENCHES: readonly Bench[] = [...SIZES.map(benchOf), million];
