/**
 * The distribution's own iptables-legacy under `bpfilter supervise`, beside itself alone: 200 times `-A`, one after the other, where there are rules
 * already. The commands are timed by the shell that runs them, so starting the supervisor is not among them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench, BenchRow } from './result.ts';
import { sampleOf } from './statistics.ts';

const GROUP = 'supervise';
const NAME = `bfb-sv-${process.pid}`;
const LAUNCHER = fileURLToPath(new URL('../../../bin/bpfilter', import.meta.url));
const MANY = 200;
const ROUNDS = 3;
/** What supervision may cost, as a ratio. */
const BAR = 1.5;

type Way = 'supervised' | 'alone';
const WAYS: readonly Way[] = ['alone', 'supervised'];

/** So many rules first, time for programs to take over, and then the commands, whose milliseconds it prints. */
function script(rules: number): string {
  const lines = Array.from({ length: rules }, (_, at) => `-A INPUT -s 10.0.${at >> 8}.${at & 255} -j DROP`);
  return `set -e
printf '%s\\n' '*filter' ':INPUT ACCEPT [0:0]' ':FORWARD ACCEPT [0:0]' ':OUTPUT ACCEPT [0:0]' ${lines.map((line) => `'${line}'`).join(' ')} COMMIT | iptables-legacy-restore
sleep 1
begin=$(date +%s%N)
for i in $(seq 1 ${MANY}); do iptables-legacy -w -A INPUT -s 10.9.9.$i -j DROP; done
echo $((($(date +%s%N) - begin) / 1000))`;
}

/** Milliseconds. */
function timed(way: Way, rules: number): number {
  const command = ['bash', '-s'];
  const argv = way === 'alone' ? command : [process.execPath, LAUNCHER, 'supervise', '--', ...command];
  const { status, stdout, stderr } = spawnSync('nsenter', [`--net=/run/netns/${NAME}-${way}`, ...argv], {
    input: script(rules),
    encoding: 'utf8',
    env: { ...process.env, XTABLES_LOCKFILE: `/run/${NAME}.lock` },
  });
  if (status !== 0) throw new Error(`${way}: ${stderr}`);
  return Number(stdout) / 1000;
}

function measured(rules: number): readonly BenchRow[] {
  const times = { alone: [] as number[], supervised: [] as number[] } as const satisfies Record<Way, number[]>;
  // The first round warms up and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const way of WAYS) {
      const took = timed(way, rules);
      if (round > 0) times[way].push(took);
    }
  }
  const ratios = times.supervised.map((took, round) => took / times.alone[round]!);
  const at = `at ${rules.toLocaleString('en')} rules`;
  return [
    { group: GROUP, name: `${MANY} iptables-legacy -A ${at}, alone`, unit: 'ms', ...sampleOf(times.alone) },
    { group: GROUP, name: `${MANY} iptables-legacy -A ${at}, supervised`, unit: 'ms', ...sampleOf(times.supervised) },
    { group: GROUP, name: `ratio ${at}`, unit: '', ...sampleOf(ratios), bar: BAR },
  ];
}

function rows(): readonly BenchRow[] {
  for (const way of WAYS) execFileSync('ip', ['netns', 'add', `${NAME}-${way}`]);
  try {
    return [0, 100, 1000].flatMap(measured);
  } finally {
    spawnSync(process.execPath, [LAUNCHER, 'flush', '--netns', `${NAME}-supervised`]);
    for (const way of WAYS) spawnSync('ip', ['netns', 'del', `${NAME}-${way}`]);
    spawnSync('rm', ['-f', `/run/${NAME}.lock`]);
  }
}

export const supervised: Bench = { name: GROUP, run: rows };
