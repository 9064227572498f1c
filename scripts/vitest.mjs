// Runs vitest, lists what was skipped, and prints one line of totals that machines can read.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs the given suites (all when `args` names none) and returns the exit status.
 * The last line on standard output is `N passed, N failed, N skipped`.
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
export function runVitest(args, env = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'bpfilter-test-'));
  const file = join(folder, 'result.json');
  const run = spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...args,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } },
  );
  let result;
  try {
    result = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    result = undefined;
  }
  rmSync(folder, { recursive: true, force: true });
  return report(result, run.status ?? 1);
}

function report(result, status) {
  if (result === undefined) {
    console.log('the test run ended without a result\n0 passed, 1 failed, 0 skipped');
    return status === 0 ? 1 : status;
  }
  const tests = result.testResults.flatMap((suite) =>
    suite.assertionResults.map((test) => ({ name: test.fullName, status: test.status, file: suite.name })),
  );
  // A file that does not load, or a suite in it that fails as a whole, is a failure without a test that failed.
  const broken = result.testResults.filter(
    (suite) => suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed'),
  );
  const passed = tests.filter((test) => test.status === 'passed').length;
  const failed = tests.filter((test) => test.status === 'failed').length + broken.length;
  const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');
  if (skipped.length > 0) {
    console.log('skipped:');
    for (const test of skipped) console.log(`  ${test.file.replace(root, '')}: ${test.name}`);
  }
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return failed > 0 || status !== 0 ? 1 : 0;
}
