/**
 * Programs that manage firewalls for people, unchanged: on iptables-legacy alone, under `bpfilter supervise`, and with the programs in `bin/` and the
 * daemon. They say the same, leave the same rules, and after each step the same packets meet the same fate and are counted alike.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { run, works } from '../support/command.ts';
import { type FirewallKind, kernelFirewall, stripComments } from '../support/firewalls.ts';
import { type Installed, installCopy } from '../support/installed.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { clientPackets } from './clients/packets.ts';
import { INPUT } from './stimulus.ts';
import { buildSide, differences, type Observation, type Side } from './twin.ts';

const CLIENTS = [
  { client: 'ufw', program: 'ufw', asks: ['version'] },
  { client: 'fail2ban', program: 'fail2ban-client', asks: ['--version'] },
  { client: 'ferm', program: 'ferm', asks: ['--version'] },
] as const;
/**
 * BPFILTER_CLIENTS=long: every step of the scripts; else the front ends, which start a process for each call, take the short way, and ufw, which calls
 * them hundreds of times, does without.
 */
const LONG = process.env['BPFILTER_CLIENTS'] === 'long';
const HOW = ['under supervision', 'with the programs in bin/ and the daemon'] as const;
const DEVICES = { devices: ['eth0', 'eth1'] };
const SCRIPTS = join(import.meta.dirname, 'clients');
/** A lock of our own: the machine's firewall is not involved. */
const LOCK = { XTABLES_LOCKFILE: '/run/bpfilter-test.lock' };
const SAVE = { ipv4: 'iptables-save', ipv6: 'ip6tables-save' } as const satisfies Record<Family, string>;

/** Without what says when it was, and what the supervisor says. */
function comparable(text: string): string {
  return text
    .replaceAll(/^bpfilter supervise: .*\n/gm, '')
    .replaceAll(/\d{8}_\d{6}/g, 'TIME')
    .replaceAll(/^\d{4}-\d\d-\d\d .*\n/gm, '');
}

interface Run {
  readonly world: string;
  /** The name of the step whose packets it waits for. */
  at(): string | undefined;
  goOn(): void;
  ended(): string | undefined;
}

/** Starts a client's script in a namespace, as a process of its own. */
function start(namespace: string, client: string, prefix: readonly string[], long: boolean): Run {
  const world = `/tmp/${namespace}`;
  const argv = ['netns', 'exec', namespace, 'unshare', '-m', 'sh', join(SCRIPTS, 'world.sh'), world, ...prefix];
  const command = `(. ${join(SCRIPTS, 'packets.sh')}; . ${join(SCRIPTS, `${client}.sh`)}) 2>&1`;
  const env = { ...process.env, PAUSE: prefix[0] === 'sh' ? '0' : '1', LONG: long ? 'yes' : '' };
  const child = spawn('ip', [...argv, 'sh', '-c', command], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => pieces.push(text));
  let end: string | undefined;
  child.on('close', () => {
    end = withoutPolicies(comparable(pieces.join('')));
  });
  const flag = join(world, 'at');
  return {
    world,
    at: () => (existsSync(flag) ? readFileSync(flag, 'utf8').trim() : undefined),
    goOn: () => rmSync(flag, { force: true }),
    ended: () => end,
  };
}

/** The kernel's own tables, each as restore text. Under supervision those that bpfilter does not hold are the rules in force. */
function kernelTables(namespace: string, family: Family): readonly string[] {
  const argv = ['netns', 'exec', namespace, `${SAVE[family].replace('-', '-legacy-')}`, '-c'];
  return stripComments(run('ip', argv, '', LOCK)).split(/^(?=\*)/m);
}

const nameOf = (table: string): string => table.slice(0, table.indexOf('\n') + 1);

/** Waits until programs have taken over what a client has given the kernel, if they do: not while rules name lists of `recent`. */
async function settled(namespace: string): Promise<void> {
  const inKernel = (family: Family): boolean =>
    kernelTables(namespace, family).some((table) => table.startsWith('*filter') && table.includes('-A '));
  for (let tries = 0; tries < 20 && FAMILIES.some(inKernel); tries++) await sleep(50);
}

/** Counters of policies begin anew with each command of iptables-legacy; ours go on. */
const withoutPolicies = (text: string): string => text.replaceAll(/^(:\S+ \S+) \[\d+:\d+\]/gm, '$1 [0:0]');

const clear = ({ saved, ...rest }: Observation): Observation => {
  return { ...rest, saved: { ipv4: withoutPolicies(saved.ipv4), ipv6: withoutPolicies(saved.ipv6) } };
};

suite('clients of iptables', DIFFERENTIAL, () => {
  let installed: Installed;
  beforeAll(() => {
    installed = installCopy();
  });
  afterAll(() => installed.close());

  /** What a client has put into force, which nobody here applies. */
  const ours: FirewallKind = {
    label: 'bpfilter',
    open: (namespace) => {
      const call = (program: string, ...words: readonly string[]): string => {
        const argv = ['netns', 'exec', namespace, process.execPath, join(installed.launcher, '..', program), ...words];
        const env = { ...process.env, BPFILTER_DAEMON: 'no' };
        const { status, stdout, stderr } = spawnSync('ip', argv, { encoding: 'utf8', env });
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        return stdout;
      };
      return {
        apply: () => {},
        save: (family) => {
          const saved = stripComments(call(SAVE[family], '-c'));
          return (
            kernelTables(namespace, family)
              .filter((table) => !saved.includes(nameOf(table)))
              .join('') + saved
          );
        },
        close: () => call('bpfilter', 'flush'),
      };
    },
  };

  /** Sends the same to both, and says what became of it. */
  const compare = (sides: readonly [Side, Side], round: number): readonly string[] => {
    const sent: [number[], number[]] = [[], []];
    clientPackets(round).forEach((stimulus, index) => {
      sides.forEach((side, which) => {
        sent[which]?.push(side.send(stimulus));
        if (index % 64 === 63) side.settle();
      });
    });
    for (const side of sides) side.settle();
    const [left, right] = [sides[0].observe(sent[0]), sides[1].observe(sent[1])];
    return differences(clear(left), clear(right));
  };

  for (const { client, program, asks } of CLIENTS) {
    const there = works(program, asks);
    const title = there ? client : `${client} (skipped: it is not installed)`;
    (there ? describe : describe.skip)(title, () => {
      const ways = LONG || client !== 'ufw' ? HOW : [HOW[0]];
      it.each(ways)('does, says and filters the same %s', { timeout: 1_200_000 }, async (how) => {
        const bin = join(installed.launcher, '..');
        const supervised = how === 'under supervision';
        const prefix = supervised
          ? [process.execPath, installed.launcher, 'supervise', '-v', '--']
          : ['sh', join(SCRIPTS, 'front-ends.sh'), process.execPath, bin];
        const theirs = buildSide(kernelFirewall, {}, DEVICES);
        const mine = buildSide(ours, {}, DEVICES);
        try {
          for (const side of [theirs, mine]) side.topology.deliver(INPUT);
          const runs = [
            start(theirs.topology.namespace, client, [], supervised || LONG),
            start(mine.topology.namespace, client, prefix, supervised || LONG),
          ] as const;
          const [left, right] = runs;
          try {
            const steps: string[] = [];
            while (left.ended() === undefined || right.ended() === undefined) {
              await sleep(20);
              const at = left.at();
              if (at === undefined || right.at() !== at) continue;
              steps.push(at);
              if (supervised) await settled(mine.topology.namespace);
              expect({ at, found: compare([theirs, mine], steps.length) }).toEqual({ at, found: [] });
              for (const run of runs) run.goOn();
            }
            expect(left.ended()).toContain('*filter');
            expect(right.ended()).toBe(left.ended());
            expect(steps.length).toBeGreaterThan(1);
          } finally {
            // Whatever failed: clients and daemons end by themselves.
            while (runs.some((run) => run.ended() === undefined)) {
              for (const run of runs) if (run.at() !== undefined) run.goOn();
              await sleep(50);
            }
            for (const { world } of runs) rmSync(world, { recursive: true, force: true });
          }
        } finally {
          mine.close();
          theirs.close();
        }
      });
    });
  }
});
