// Compiles src/ to dist/, and what the commands load once more into few files, dist/app/: reading some hundred files is most of what a
// small command takes. Part of `npm ci` (prepare), so that bin/bpfilter runs straight after it.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
// The second is what the programs load before anything else: see src/daemon/client.ts.
for (const project of ['tsconfig.build.json', 'tsconfig.client.json']) {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { cwd: root, stdio: 'inherit' });
}
writeFileSync(new URL('../dist/client/package.json', import.meta.url), '{ "type": "commonjs" }\n');

// The launcher is a program of its own, which the commands look for beside them.
const input = { main: 'dist/commands/main.js', launcher: 'dist/supervise/launcher.js' };
const bundle = await rolldown({ cwd: root, input, platform: 'node', external: ['koffi'] });
await bundle.write({ dir: 'dist/app', format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' });
await bundle.close();
