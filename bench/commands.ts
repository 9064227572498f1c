/**
 * What the programs of the iptables family take at 10,000 rules, through the daemon and without it, beside iptables-legacy. Times are those of whole processes;
 * `over` is what goes beyond starting Node and ending it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Bench, BenchRow } from './result.ts';
import { interleave, type Sample } from './statistics.ts';

const RULES = 10_000;
const GROUP = 'commands';
const NAME = `bfb-cmd-${process.pid}`;
const FOLDER = `/run/${NAME}`;
const BIN = fileURLToPath(new URL('../../../bin/', import.meta.url));

const RULESET = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
${Array.from(
  { length: RULES },
  (_, at) =>
    `-A INPUT -s 10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32 -p tcp -m tcp --dport ${1 + ((at * 7) % 60_000)} -j ${at % 2 === 0 ? 'DROP' : 'ACCEPT'}`,
).join('\n')}
COMMIT
`;

type Way = 'daemon' | 'alone' | 'legacy';

/** Milliseconds that a process takes in the namespace of its way. */
function timed(way: Way, words: readonly string[], input = ''): number {
  const [program = '', ...argv] = words;
  const command = program === 'node' || way === 'legacy' ? [program, ...argv] : [BIN + program, ...argv];
  const env = {
    ...process.env,
    XTABLES_LOCKFILE: `${FOLDER}/lock`,
    BPFILTER_SOCKET: `${FOLDER}/socket`,
    BPFILTER_DAEMON: way === 'daemon' ? 'yes' : 'no',
  };
  const started = performance.now();
  const result = spawnSync('nsenter', [`--net=/run/netns/${NAME}-${way}`, ...command], {
    input,
    env,
    maxBuffer: 1 << 28,
  });
  const took = performance.now() - started;
  if (result.status !== 0) throw new Error(`${words.join(' ')}: ${result.stderr.toString()}`);
  return took;
}

/** Median and smallest of each, in turn with starting Node and ending it. */
function beside(
  rounds: number,
  cases: readonly (() => number)[],
): readonly { readonly own: Sample; readonly over: Sample }[] {
  const [start, ...samples] = interleave([() => timed('alone', ['node', '-e', '0']), ...cases], rounds);
  return samples.map((own) => ({ own, over: { min: own.min - start!.min, median: own.median - start!.median } }));
}

function rows(): readonly BenchRow[] {
  const ways: readonly Way[] = ['daemon', 'alone', 'legacy'];
  mkdirSync(FOLDER, { recursive: true });
  for (const way of ways) execFileSync('ip', ['netns', 'add', `${NAME}-${way}`]);
  const daemon = spawn(`${BIN}bpfilterd`, ['--socket', `${FOLDER}/socket`], { stdio: 'ignore' });
  try {
    for (let tries = 0; !existsSync(`${FOLDER}/socket`); tries++) {
      if (tries > 500) throw new Error('the daemon does not start');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
    return measured();
  } finally {
    daemon.kill();
    for (const way of ways) {
      if (way !== 'legacy') spawnSync(process.execPath, [`${BIN}bpfilter`, 'flush', '--netns', `${NAME}-${way}`]);
      spawnSync('ip', ['netns', 'del', `${NAME}-${way}`]);
    }
    rmSync(FOLDER, { recursive: true, force: true });
  }
}

function measured(): readonly BenchRow[] {
  const program = (way: Way, name: string): string =>
    way === 'legacy' ? name.replace('iptables', 'iptables-legacy') : name;
  let serial = 0;
  const append = (way: Way): number => {
    serial++;
    const source = `172.16.${serial >> 8}.${serial & 255}`;
    return timed(way, [
      program(way, 'iptables'),
      '-w',
      '-A',
      'INPUT',
      '-s',
      source,
      '-p',
      'tcp',
      '--dport',
      '9',
      '-j',
      'DROP',
    ]);
  };
  const row = (name: string, { own, over }: { own: Sample; over: Sample }, bar?: number): BenchRow => ({
    group: GROUP,
    name,
    unit: 'ms',
    ...own,
    overMin: over.min,
    overMedian: over.median,
    ...(bar === undefined ? {} : { bar }),
  });
  const restore = (way: Way) => (): number => timed(way, [program(way, 'iptables-restore'), '-w'], RULESET);
  const list = (way: Way) => (): number => timed(way, [program(way, 'iptables'), '-w', '-L', '-n', '-v']);
  const restored = beside(5, [restore('daemon'), restore('alone'), restore('legacy')]);
  const listed = beside(5, [list('daemon'), list('alone'), list('legacy')]);
  const appended = beside(15, [() => append('daemon'), () => append('legacy')]);
  const alone = beside(3, [() => append('alone')]);
  const many = beside(1, [
    () => Array.from({ length: 200 }, () => append('daemon')).reduce((sum, one) => sum + one, 0),
    () => Array.from({ length: 200 }, () => append('legacy')).reduce((sum, one) => sum + one, 0),
  ]);
  return [
    row('iptables-restore, daemon', restored[0]!, 600),
    row('iptables-restore, without', restored[1]!),
    row('iptables-restore, legacy', restored[2]!),
    row('iptables -L -n -v, daemon', listed[0]!, 500),
    row('iptables -L -n -v, without', listed[1]!),
    row('iptables -L -n -v, legacy', listed[2]!),
    row('iptables -A, daemon', appended[0]!, 15),
    row('iptables -A, without', alone[0]!),
    row('iptables -A, legacy', appended[1]!),
    row('200 iptables -A, daemon', many[0]!),
    row('200 iptables -A, legacy', many[1]!),
  ];
}

export const commandTimes: Bench = { name: GROUP, run: rows };
