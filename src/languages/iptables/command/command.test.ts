import { describe, expect, it } from 'vitest';
import type { Ruleset } from '../../../rules/model.ts';
import { shortNumber } from './counters-text.ts';
import { readRestoreOptions, restoreText } from './restore.ts';
import { type CommandResult, type CommandWorld, isResult, readCommandLine, runCommandLine } from './run.ts';
import { ctime, readSaveOptions, saveText } from './save.ts';

const world: CommandWorld = { family: 'ipv4', program: { name: 'iptables', version: '1.8.9 (test)' } };

function run(line: string, ruleset?: Ruleset): CommandResult {
  const command = readCommandLine(line.split(' '), world);
  return isResult(command) ? command : runCommandLine(command, ruleset, world);
}

/** The rule set that the commands leave. */
function after(...lines: readonly string[]): Ruleset | undefined {
  let ruleset: Ruleset | undefined;
  for (const line of lines) {
    const result = run(line, ruleset);
    expect(`${line}: ${result.stderr}`).toBe(`${line}: `);
    ruleset = result.ruleset ?? ruleset;
  }
  return ruleset;
}

describe('commands change the rules', () => {
  it('adds, inserts, replaces and deletes', () => {
    const rules = after(
      '-A INPUT -j DROP',
      '-I INPUT -s 10.0.0.1',
      '-I INPUT 2 -j ACCEPT',
      '-R INPUT 1 -f',
      '-D INPUT 3',
    );
    expect(run('-S INPUT', rules).stdout).toBe('-P INPUT ACCEPT\n-A INPUT -f\n-A INPUT -j ACCEPT\n');
  });

  it('makes one rule for each pair of addresses and deletes them again', () => {
    const rules = after('-A INPUT -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4');
    expect(run('-S INPUT', rules).stdout.split('\n')).toHaveLength(6);
    const { ruleset } = run('-D INPUT -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4', rules);
    expect(run('-S INPUT', ruleset).stdout).toBe('-P INPUT ACCEPT\n');
  });

  it('keeps counters of the other rules and sets one to zero', () => {
    const rules = after('-A INPUT -c 5 6', '-A INPUT -c 7 8', '-A FORWARD -c 9 9', '-Z INPUT 1');
    expect(run('-S -v', rules).stdout).toContain('-A INPUT -c 0 0\n-A INPUT -c 7 8\n-A FORWARD -c 9 9\n');
  });

  it('leaves the rule set it was given alone', () => {
    const rules = after('-A INPUT -j DROP');
    const before = JSON.stringify(rules, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    run('-F', rules);
    run('-L -Z', rules);
    expect(JSON.stringify(rules, (_, value) => (typeof value === 'bigint' ? String(value) : value))).toBe(before);
  });
});

describe('what goes wrong is said as iptables says it', () => {
  const rules = after('-N foo', '-N bar', '-A foo -j bar', '-A INPUT -j foo');
  const hint = "Try `iptables -h' or 'iptables --help' for more information.\n";
  const v = 'iptables v1.8.9 (test): ';
  it.each([
    ['-D INPUT -j DROP', 1, 'iptables: Bad rule (does a matching rule exist in that chain?).\n'],
    ['-N foo', 1, 'iptables: Chain already exists.\n'],
    ['-X foo', 1, 'iptables: Too many links.\n'],
    ['-A nochain', 1, 'iptables: No chain/target/match by that name.\n'],
    ['-I INPUT 9', 1, 'iptables: Index of insertion too big.\n'],
    ['-D INPUT 9', 1, 'iptables: Index of deletion too big.\n'],
    ['-A bar -j foo', 1, 'iptables: Too many levels of symbolic links.\n'],
    ['-A INPUT -m tcp --dport 22', 1, "iptables: Invalid argument. Run `dmesg' for more information.\n"],
    ['-A INPUT --nope', 2, `${v}unknown option "--nope"\n${hint}`],
    ['-A INPUT stray', 2, `Bad argument \`stray'\n${hint}`],
    ['-A INPUT -j NOPE', 2, `${v}Couldn't load target \`NOPE':No such file or directory\n\n${hint}`],
    ['-A INPUT -D INPUT', 2, `${v}Cannot use -D with -A\n${hint}`],
    ['-L -n -s 1.1.1.1', 2, `${v}Illegal option \`-s' with this command\n${hint}`],
    [
      '-t nope -L',
      3,
      `${v}can't initialize iptables table \`nope': Table does not exist (do you need to insmod?)\nPerhaps iptables or your kernel needs to be upgraded.\n`,
    ],
  ])('%s', (line, status, stderr) => {
    expect(run(line, rules)).toMatchObject({ status, stderr, stdout: '' });
  });
});

it.each([
  [0n, '    0'],
  [99_999n, '99999'],
  [100_000n, ' 100K'],
  [9_999_499n, '9999K'],
  [9_999_500n, '  10M'],
  [123_456_789_012n, ' 123G'],
])('counters: %s', (value, text) => {
  expect(shortNumber(value, false)).toBe(text);
});

describe('iptables-restore and iptables-save', () => {
  const program = { name: 'iptables-restore', version: '1.8.9 (test)' };
  const restore = (text: string, words: string, ruleset?: Ruleset): ReturnType<typeof restoreText> =>
    restoreText(text, readRestoreOptions(words === '' ? [] : words.split(' '), program), ruleset, {
      ...world,
      program,
    });
  const save = (ruleset: Ruleset | undefined): string =>
    saveText(ruleset, readSaveOptions(['-c'], world.program), 'ipv4', world.program, 'now').replace(/^# .*\n/gm, '');
  const text =
    '*filter\n:INPUT DROP [5:6]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:foo - [0:0]\n[1:2] -A INPUT -j foo\nCOMMIT\n';

  it('reads what is saved', () => {
    expect(save(restore(text, '-c').ruleset)).toBe(text);
    expect(save(restore(text, '').ruleset)).toBe(text.replace('[5:6]', '[0:0]').replace('[1:2]', '[0:0]'));
  });

  it('keeps rules with -n and empties the chains that the text names', () => {
    const rules = restore(text, '').ruleset;
    const more = restore('*filter\n:foo - [0:0]\n-A foo -j ACCEPT\nCOMMIT\n', '-n', rules);
    expect(save(more.ruleset)).toContain('-A INPUT -j foo\n[0:0] -A foo -j ACCEPT\n');
  });

  it('hands over nothing with -t, and what stood before a fault without it', () => {
    expect(restore(text, '-t').ruleset).toBeUndefined();
    const broken = restore(`${text}*nat\n-A NOPE\nCOMMIT\n`, '');
    expect(broken).toMatchObject({ status: 1, stderr: 'iptables-restore: line 9 failed\n' });
    expect(broken.ruleset?.tables.map((table) => table.name)).toEqual(['filter']);
    expect(restore('*filter\n', '').stderr).toBe('iptables-restore: COMMIT expected at line 2\n');
    expect(restore('*filter\n-A INPUT --nope\nCOMMIT\n', '')).toMatchObject({
      status: 2,
      stderr:
        'iptables-restore v1.8.9 (test): unknown option "--nope"\nError occurred at line: 2\n' +
        "Try `iptables-restore -h' or 'iptables-restore --help' for more information.\n",
    });
  });

  it('writes dates as ctime does', () => {
    expect(ctime(new Date(Date.UTC(2026, 0, 2, 3, 4, 5)))).toBe('Fri Jan  2 03:04:05 2026');
  });
});
