/** The commands of the iptables family beside iptables-legacy: the same commands, the same answers, the same rules. */
import { spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import { hostAccounts } from '../../src/commands/accounts.ts';
import { ownHost } from '../../src/commands/host.ts';
import { hostNames } from '../../src/commands/iptables/names.ts';
import { withTemporaryNamespace } from '../../src/kernel/namespace.ts';
import {
  type CommandResult,
  type CommandWorld,
  isResult,
  readCommandLine,
  runCommandLine,
} from '../../src/languages/iptables/command/run.ts';
import { readSaveOptions, saveText } from '../../src/languages/iptables/command/save.ts';
import { FAMILIES, type Family, TABLES } from '../../src/packet/netfilter.ts';
import type { Ruleset } from '../../src/rules/model.ts';
import { commandSource } from '../language/random-commands.ts';
import { SEED } from '../support/budget.ts';
import { run } from '../support/command.ts';
import { startDaemon } from '../support/daemon.ts';
import { type Installed, installCopy } from '../support/installed.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

/** How many commands each comparison runs; BPFILTER_COMMANDS asks for more. */
const MANY = Number(process.env['BPFILTER_COMMANDS'] ?? 400);
/** Starting a program takes long: fewer, unless asked for more. */
const AS_PROGRAMS = process.env['BPFILTER_COMMANDS'] === undefined ? 20 : MANY;
const NAME = { ipv4: 'iptables', ipv6: 'ip6tables' } as const satisfies Record<Family, string>;
const FOLDER = `/run/bfcm${process.pid}`;
const NAMESPACES = [`bfcm${process.pid}a`, `bfcm${process.pid}b`] as const;

interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const withoutDates = (text: string): string => text.replace(/^# .*\n/gm, '');
/** Messages without the version. */
const comparable = ({ status, stdout, stderr }: Answer): Answer => ({
  status,
  stdout,
  stderr: stderr.replaceAll(/v1\.8\.\d+ \(\w+\)/g, 'VERSION'),
});

suite('iptables commands', DIFFERENTIAL, () => {
  let installed: Installed;

  beforeAll(() => {
    process.env['XTABLES_LOCKFILE'] = `/run/${NAMESPACES[0]}.lock`;
    installed = installCopy();
  });
  afterEach(() => {
    for (const name of NAMESPACES) {
      spawnSync('ip', ['netns', 'exec', name, process.execPath, installed.launcher, 'flush']);
      spawnSync('ip', ['netns', 'del', name]);
    }
  });
  afterAll(() => installed.close());

  it.each(FAMILIES)('%s: random commands in memory and with iptables-legacy', (family) => {
    const program = { name: NAME[family], version: '1.8.9 (legacy)' };
    const world: CommandWorld = { family, program, accounts: hostAccounts, names: hostNames(ownHost) };
    const legacy = `${NAME[family]}-legacy`;
    withTemporaryNamespace(() => {
      const source = commandSource(SEED, family);
      let rules: Ruleset | undefined;
      const execute = (argv: readonly string[]): CommandResult => {
        const command = readCommandLine(argv, world);
        const result = isResult(command) ? command : runCommandLine(command, rules, world);
        rules = result.ruleset ?? rules;
        return result;
      };
      // Looking at a table makes it exist; here they all do, in the same order.
      for (const table of TABLES) {
        run(legacy, ['-t', table, '-F']);
        execute(['-t', table, '-F']);
      }
      for (let count = 0; count < MANY; count++) {
        const argv = source.next();
        const theirs = comparable(spawnSync(legacy, argv, { encoding: 'utf8' }));
        const ours = comparable(execute(argv));
        expect({ argv, ...ours }).toEqual({ argv, ...theirs });
        const saved = saveText(rules, readSaveOptions(['-c'], program), family, program, '');
        expect({ argv, saved: withoutDates(saved) }).toEqual({
          argv,
          saved: withoutDates(run(`${legacy}-save`, ['-c'])),
        });
      }
    });
  });

  it.each(['alone', 'with the daemon'])(
    'random commands as programs %s and with iptables-legacy',
    {
      timeout: 7_200_000,
    },
    async (how) => {
      const [ours, theirs] = NAMESPACES;
      for (const name of NAMESPACES) run('ip', ['netns', 'add', name]);
      const source = commandSource(SEED + 1, 'ipv4');
      const daemon = how === 'alone' ? undefined : await startDaemon(installed, FOLDER);
      const env = { ...process.env, ...(daemon?.env ?? { BPFILTER_DAEMON: 'no' }) };
      const execute = (namespace: string, program: readonly string[], argv: readonly string[]): Answer =>
        comparable(spawnSync('ip', ['netns', 'exec', namespace, ...program, ...argv], { encoding: 'utf8', env }));
      onTestFinished(async () => {
        await daemon?.stop();
        rmSync(FOLDER, { recursive: true, force: true });
      });
      const launcher = (name: string): readonly string[] => [process.execPath, join(installed.launcher, '..', name)];
      for (const table of TABLES) {
        execute(theirs, ['iptables-legacy'], ['-t', table, '-F']);
        execute(ours, launcher('iptables'), ['-t', table, '-F']);
      }
      for (let count = 0; count < AS_PROGRAMS; count++) {
        const argv = source.next();
        const expected = execute(theirs, ['iptables-legacy'], argv);
        expect({ argv, ...execute(ours, launcher('iptables'), argv) }).toEqual({ argv, ...expected });
        const saved = execute(ours, launcher('iptables-save'), ['-c']).stdout;
        const legacy = execute(theirs, ['iptables-legacy-save'], ['-c']).stdout;
        expect({ argv, saved: withoutDates(saved) }).toEqual({ argv, saved: withoutDates(legacy) });
      }
    },
  );

  it('many writers at once lose nothing', async () => {
    const [namespace] = NAMESPACES;
    run('ip', ['netns', 'add', namespace]);
    const launcher = join(installed.launcher, '..', 'iptables');
    const writers = Array.from({ length: 4 }, (_, at) => `10.9.${at}`);
    const loop = (prefix: string): string =>
      [1, 2]
        .flatMap((number) => [`-A INPUT -s ${prefix}.${number} -j ACCEPT`, `-A FORWARD -s ${prefix}.${number}`])
        .concat(`-D INPUT -s ${prefix}.2 -j ACCEPT`)
        .map((line) => `${process.execPath} ${launcher} -w ${line} || exit 9`)
        .join('\n');
    const statuses = await Promise.all(
      writers.map(
        (prefix) =>
          new Promise<number | null>((done) => {
            spawn('ip', ['netns', 'exec', namespace, 'sh', '-c', loop(prefix)], { stdio: 'inherit' }).on('close', done);
          }),
      ),
    );
    expect(statuses).toEqual(writers.map(() => 0));
    const rules = run('ip', ['netns', 'exec', namespace, process.execPath, launcher, '-S']).split('\n').sort();
    const expected = writers.flatMap((prefix) => [
      ...[1].map((number) => `-A INPUT -s ${prefix}.${number}/32 -j ACCEPT`),
      ...[1, 2].map((number) => `-A FORWARD -s ${prefix}.${number}/32`),
    ]);
    expect(rules.filter((line) => line.startsWith('-A'))).toEqual(expected.sort());
  });
});
