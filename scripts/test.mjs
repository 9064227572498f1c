// npm test: installs what the kernel suites compare against, builds, runs everything.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installPackages } from './packages.mjs';
import { runVitest } from './vitest.mjs';

installPackages();
const build = spawnSync(process.execPath, [fileURLToPath(new URL('build.mjs', import.meta.url))], { stdio: 'inherit' });
if (build.status === 0) {
  process.exitCode = runVitest(process.argv.slice(2));
} else {
  console.log('the build failed\n0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
}
