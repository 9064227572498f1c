// npm run bench [-- NAME...]: compiles bench/ (it is no part of the package) and runs it.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const node = (/** @type {string[]} */ ...args) =>
  spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;

rmSync(new URL('../bench/dist', import.meta.url), { recursive: true, force: true });
const status = node('node_modules/typescript/bin/tsc', '-p', 'bench/tsconfig.json');
process.exitCode = status === 0 ? node('bench/dist/bench/main.js', ...process.argv.slice(2)) : status;
