/** bpfilter as it is installed: compiled, with its launcher, as processes of their own. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { REPOSITORY } from './suite.ts';

/** A compiled copy of the working tree, so that a test does not depend on when dist/ was built. */
export interface Installed {
  /** Path of the launcher; run it with process.execPath. */
  readonly launcher: string;
  /** Runs it and waits. `prefix`: a command to run it under, such as `ip netns exec NAME`. */
  bpfilter(argv: readonly string[], options?: RunOptions): SpawnSyncReturns<string>;
  close(): void;
}

export interface RunOptions {
  readonly input?: string;
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Compiles src/ into a directory below node_modules, where its dependencies are found. */
export function installCopy(): Installed {
  const root = join(REPOSITORY, 'node_modules', '.cache', `bpfilter-${process.pid}`);
  const launcher = join(root, 'bin', 'bpfilter');
  mkdirSync(root, { recursive: true });
  for (const name of ['bin', 'package.json']) {
    cpSync(join(REPOSITORY, name), join(root, name), { recursive: true, force: true });
  }
  const compiler = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const [project, folder] of [
    ['tsconfig.build.json', 'dist'],
    ['tsconfig.client.json', 'dist/client'],
  ] as const)
    run(process.execPath, [compiler, '-p', join(REPOSITORY, project), '--outDir', join(root, folder)]);
  writeFileSync(join(root, 'dist', 'client', 'package.json'), '{ "type": "commonjs" }\n');
  return {
    launcher,
    bpfilter(argv, { input = '', prefix = [], env = {} } = {}) {
      const [program = '', ...args] = [...prefix, process.execPath, launcher, ...argv];
      return spawnSync(program, args, { input, encoding: 'utf8', env: { ...process.env, ...env } });
    },
    close: () => rmSync(root, { recursive: true, force: true }),
  };
}
