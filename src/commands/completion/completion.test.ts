import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../command-table.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpfilter-completion-'));
  for (const name of ['rules.v4', 'rules.v6', 'other']) writeFileSync(join(folder, name), '');
  writeFileSync(join(folder, 'bpfilter.bash'), bashCompletion(COMMANDS));
  writeFileSync(join(folder, '_bpfilter'), zshCompletion(COMMANDS));
  writeFileSync(join(folder, 'bpfilter.fish'), fishCompletion(COMMANDS));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

/** What bash offers for the last of these words. */
function bash(...words: readonly string[]): readonly string[] {
  const script = `source ./bpfilter.bash; COMP_WORDS=(bpfilter "$@"); COMP_CWORD=$#; _bpfilter; printf "%s\\n" "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

/** What fish offers for a line. */
function fish(line: string): readonly string[] {
  const script = `source ./bpfilter.fish; complete -C ${JSON.stringify(line)}`;
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout
    .split('\n')
    .filter((item) => item !== '')
    .map((item) => item.split('\t')[0] ?? '')
    .sort();
}

describe('bash', () => {
  it('offers commands', () => {
    expect(bash('')).toEqual([...Object.keys(COMMANDS), '--help', '--version'].sort());
    expect(bash('re').every((word) => word.startsWith('re'))).toBe(true);
  });
  it('offers the options of the command', () => {
    expect(bash('save', '--')).toEqual(
      Object.keys(COMMANDS.save.options)
        .map((name) => `--${name}`)
        .sort(),
    );
  });
  it('offers values', () => {
    expect(bash('save', '-t', 'm')).toEqual(['mangle']);
    expect(bash('apply', '--xdp', 'l')).toContain('lo');
    expect(bash('apply', '--wait', '')).toEqual([]);
    expect(bash('completion', '')).toEqual(['bash', 'fish', 'zsh']);
  });
  it('offers files where files are wanted', () => {
    expect(bash('apply', '-4', 'rules')).toEqual(['rules.v4', 'rules.v6']);
    expect(bash('flush', 'rules')).toEqual([]);
  });
});

describe.runIf(has('fish'))('fish', () => {
  it('offers commands, options, values and files', () => {
    expect(fish('bpfilter ')).toEqual(Object.keys(COMMANDS).sort());
    expect(fish('bpfilter save --')).toEqual(
      Object.keys(COMMANDS.save.options)
        .map((name) => `--${name}`)
        .sort(),
    );
    expect(fish('bpfilter save -t m')).toEqual(['mangle']);
    expect(fish('bpfilter completion ')).toEqual(['bash', 'fish', 'zsh']);
    expect(fish('bpfilter apply rules')).toEqual(['rules.v4', 'rules.v6']);
    expect(fish('bpfilter flush rules')).toEqual([]);
  });
});

describe.runIf(has('zsh'))('zsh', () => {
  it('takes the script, and its parts reach _describe and _arguments', () => {
    // The completion system wants a terminal; its two functions are replaced by ones that print what they are given.
    const script = `
      _describe() { print -l -- $commands; }
      _arguments() { shift; print -l -- "$@"; }
      words=(bpfilter "$@"); CURRENT=$#words; source ./_bpfilter`;
    const zsh = (...words: readonly string[]) => {
      const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', script, 'zsh', ...words], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      return stdout.split('\n').filter((line) => line !== '');
    };
    expect(zsh('').map((line) => line.split(':')[0])).toEqual(Object.keys(COMMANDS));
    expect(zsh('completion', '')).toEqual([
      '(--help -h)--help[print this help]',
      '(--help -h)-h[print this help]',
      '*:operand:(bash zsh fish)',
    ]);
    expect(zsh('save', '').join('\n')).toMatch(/--table\[only this table\]:value:\(raw mangle/);
  });
});
