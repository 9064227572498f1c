// Feeds the parser millions of damaged rule files: node test/language/fuzz.mjs [INPUTS] [FIRST]
// Input number n is always the same, so that a find can be made again with `fuzz.mjs 1 n`.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const count = Number(process.argv[2] ?? 1_000_000);
const first = Number(process.argv[3] ?? 0);
const out = mkdtempSync(join(tmpdir(), 'bpfilter-fuzz-'));
try {
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'test/language/tsconfig.fuzz.json', '--outDir', out], { cwd: root });
  const load = (path) => import(pathToFileURL(join(out, path)).href);
  const { fuzz } = await load('test/language/fuzz-run.js');
  const { seedLines } = await load('test/language/seeds.js');
  const seeds = seedLines(join(root, '..', 'shared'));
  const start = performance.now();
  let accepted = 0;
  let slowest = 0;
  let failed = 0;
  for (let at = 0; at < count; at += 100_000) {
    const result = fuzz(first + at, Math.min(100_000, count - at), seeds);
    accepted += result.accepted;
    slowest = Math.max(slowest, result.slowest);
    failed += result.failures.length;
    for (const { number, input, why } of result.failures.slice(0, 5)) {
      console.log(`input ${number} (${input.family}): ${why}\n${JSON.stringify(input.text)}`);
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const rate = Math.round(count / seconds);
  console.log(
    `${count} inputs in ${seconds.toFixed(1)} s (${rate}/s), ${accepted} accepted, slowest ${slowest.toFixed(1)} ms, ${failed} finds`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
