// npm run mutants -- [NAME...]: takes the conditions of early drop out of a copy of this tree, one at a time, and shows that a test fails each time.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTANTS } from '../test/mutants/early.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const words = process.argv.slice(2);
const chosen = MUTANTS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const copy = mkdtempSync(join(tmpdir(), 'bpfilter-mutants-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

for (const entry of ['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'])
  cpSync(join(root, entry), join(copy, entry), { recursive: true });
for (const entry of ['node_modules', 'docs']) symlinkSync(join(root, entry), join(copy, entry));

/** What comes of the tests with these words in their names; a program that the kernel refuses shows nothing. */
function outcome({ test, only }) {
  const project = /^test\/differential\/|^src\/(kernel|firewall|commands)\//.test(test) ? 'kernel' : 'unit';
  const args = ['run', '--project', project, test, '--bail', '1', ...(only === undefined ? [] : ['-t', only])];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const options = { cwd: copy, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } };
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, ...args], options);
  if (!/Tests .*(passed|failed)/.test(stdout)) return `BROKEN: no test of ${test} is called ${only}\n${stderr}`;
  if (status === 0) return 'NOBODY NOTICES';
  return /^AssertionError: expected (\+?\d|\{.*(counts|early)|'bpfilter apply: warning)/m.test(stderr)
    ? NOTICED
    : `BROKEN\n${stderr}`;
}

/** The file's text with the condition taken out; throws when it is not there exactly once. */
function mutated(text, { name, file, take, put = '' }) {
  const parts = text.split(take);
  if (parts.length !== 2) throw new Error(`${name}: found ${parts.length - 1} times in ${file}: ${take}`);
  return parts.join(put);
}

const NOTICED = 'a test fails';
const survivors = [];
for (const mutant of chosen) {
  const path = join(copy, mutant.file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, mutated(text, mutant));
  const result = outcome(mutant);
  writeFileSync(path, text);
  console.log(`${mutant.name}: ${result}`);
  if (result !== NOTICED) survivors.push(mutant.name);
}
console.log(`${chosen.length - survivors.length} of ${chosen.length} conditions taken out are noticed`);
process.exitCode = survivors.length === 0 ? 0 : 1;
