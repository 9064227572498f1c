import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What a tool says about the project: nothing, or what it complains of. */
function complaints(...command: readonly string[]): string {
  try {
    execFileSync(process.execPath, command, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return '';
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return `${stdout ?? ''}${stderr ?? ''}` || String(error);
  }
}

it('every file has its types right', () => {
  expect(complaints('node_modules/typescript/bin/tsc', '--noEmit')).toBe('');
});

it('every file is formatted and linted', () => {
  expect(complaints('node_modules/@biomejs/biome/bin/biome', 'check')).toBe('');
});
