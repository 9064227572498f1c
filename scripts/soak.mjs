// npm run soak -- --minutes N [--seed S]: the differential suites with random rule sets and packets, for as long as asked.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installPackages } from './packages.mjs';
import { runVitest } from './vitest.mjs';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string' } } });
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Math.floor(Math.random() * 0x7fffffff));
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error('usage: npm run soak -- --minutes N [--seed S]');
  process.exit(2);
}

installPackages();
const build = spawnSync(process.execPath, [fileURLToPath(new URL('build.mjs', import.meta.url))], { stdio: 'inherit' });
if (build.status !== 0) process.exit(1);
console.log(`soak for ${minutes} minutes; repeat with: npm run soak -- --minutes ${minutes} --seed ${seed}`);
process.exitCode = runVitest(['--project', 'kernel', 'test/differential/'], {
  BPFILTER_SOAK_MINUTES: String(minutes),
  BPFILTER_SEED: String(seed),
});
