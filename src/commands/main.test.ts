import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseArguments, wholeNumber } from './arguments.ts';
import { type CommandOption, UsageError } from './command.ts';
import { COMMANDS } from './command-table.ts';
import { main } from './main.ts';
import { familyOf } from './operands.ts';
import { collectedOutput } from './output.ts';
import { textTable } from './text-table.ts';

async function run(...argv: string[]) {
  const output = collectedOutput();
  const status = await main(argv, output);
  return { status, stdout: output.stdout(), stderr: output.stderr() };
}

describe('help', () => {
  it('lists every command', async () => {
    const { status, stdout } = await run('--help');
    expect(status).toBe(0);
    for (const name of Object.keys(COMMANDS)) expect(stdout).toContain(`  ${name} `);
  });

  it.each(Object.entries(COMMANDS))('%s --help explains every option', async (name, spec) => {
    const { status, stdout } = await run(name, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: bpfilter ${name} \\[OPTION\\]\\.\\.\\.`));
    for (const option of Object.keys(spec.options)) expect(stdout).toContain(`--${option}`);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(94);
  });

  it('and the manual page has every command with its options', () => {
    const manual = readFileSync(new URL('../../docs/commands.md', import.meta.url), 'utf8');
    for (const [name, spec] of Object.entries(COMMANDS)) {
      expect(manual).toContain(`\n## ${name}\n`);
      for (const [long, option] of Object.entries<CommandOption>(spec.options)) {
        expect(manual).toMatch(new RegExp(`--${long}\\b${option.value === undefined ? '' : ` ${option.value}`}`));
      }
    }
  });

  it('prints the version', async () => {
    expect((await run('--version')).stdout).toMatch(/^bpfilter \d+\.\d+\.\d+\n$/);
  });
});

describe('wrong usage is exit status 2 with a usage line', () => {
  it.each([
    [[], /^Usage: bpfilter COMMAND/],
    [['frobnicate'], /"frobnicate" is not a command; there are check, apply/],
    [['apply'], /FILE is missing\nUsage: bpfilter apply/],
    [['apply', '--frob', 'x'], /nknown option '--frob'/],
    [['save', 'x'], /unexpected operand "x"/],
    [['save', '-4', '-6'], /-4 and -6 exclude each other/],
    [['save', '-t', 'nut'], /"nut" is not a table; there are raw/],
    [['apply', '-w', 'soon', 'x'], /--wait wants a whole number, not "soon"/],
    [['apply', '--netns'], /netns/],
    [['check', '/nonexistent/file'], /cannot read \/nonexistent\/file: ENOENT/],
    [['apply', '-', '-'], /standard input can be read only once/],
  ])('%j', async (argv, message) => {
    const { status, stdout, stderr } = await run(...argv);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(status).toBe(2);
    expect(stderr).not.toContain('    at ');
  });
});

describe('arguments', () => {
  it('takes short options together, -4 and -6, and - as an operand', () => {
    expect(parseArguments(COMMANDS.apply, ['-c4w', '5', '-', 'a'])).toEqual({
      operands: ['-', 'a'],
      options: { counters: true, ipv4: true, wait: '5' },
    });
  });

  it('wholeNumber', () => {
    expect(wholeNumber('wait', undefined)).toBeUndefined();
    expect(wholeNumber('wait', '10')).toBe(10);
    for (const text of ['', '-1', '1.5', 'x', '99999999999'])
      expect(() => wholeNumber('wait', text)).toThrow(UsageError);
  });

  it('takes the family from the option, else from the suffix', () => {
    expect(familyOf('a.v6', undefined)).toBe('ipv6');
    expect(familyOf('a.v4', undefined)).toBe('ipv4');
    expect(familyOf('-', undefined)).toBe('ipv4');
    expect(familyOf('a.v6', 'ipv4')).toBe('ipv4');
    expect(familyOf('a', 'ipv6')).toBe('ipv6');
  });
});

describe('text tables', () => {
  it('are as wide as their widest cells, without spaces at line ends', () => {
    const table = textTable(
      [{ title: 'A' }, { title: 'LONG', align: 'right' }, { title: 'Z' }],
      [
        ['one', '1', ''],
        ['x', '12345', 'end'],
      ],
    );
    expect(table).toBe('A     LONG  Z\none      1\nx    12345  end\n');
  });
});
