/** Becoming another program: execve(2) from this very process, with the signals and limits that a program expects. */

import { accessSync, constants, statSync } from 'node:fs';
import { addressOf, syscall, trySyscall } from './syscall.ts';

const SIGPIPE = 13;
const RLIMIT_NOFILE = 7;
const F_SETFD = 2;
/** `struct kernel_sigaction` of zeros: SIG_DFL. */
const SIGACTION_BYTES = 32;

/**
 * Executes a program; returns only by throwing. What Node has changed for itself is put back: the three streams stay open, a broken pipe ends
 * programs, and the number of files they may open is that of process `like`.
 * @throws SyscallError
 */
export function execute(path: string, argv: readonly string[], like: number): never {
  trySyscall('rt_sigaction', SIGPIPE, new Uint8Array(SIGACTION_BYTES), undefined, 8);
  const limit = new Uint8Array(16);
  if (trySyscall('prlimit64', like, RLIMIT_NOFILE, undefined, limit) >= 0)
    trySyscall('prlimit64', 0, RLIMIT_NOFILE, limit, undefined);
  // Node wants no program to inherit them.
  for (const stream of [0, 1, 2]) trySyscall('fcntl', stream, F_SETFD, 0);
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`);
  const kept: Uint8Array[] = [];
  const result = syscall(
    'execve',
    [text(path, kept), pointers(argv, kept), pointers(environment, kept)],
    `executing ${path}`,
  );
  throw new Error(`execve returned ${result}`);
}

function text(value: string, kept: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(`${value}\0`));
  kept.push(bytes);
  return bytes;
}

function pointers(values: readonly string[], kept: Uint8Array[]): Uint8Array {
  const words = new BigUint64Array(values.length + 1);
  for (const [index, value] of values.entries()) words[index] = addressOf(text(value, kept));
  const bytes = new Uint8Array(words.buffer);
  kept.push(bytes);
  return bytes;
}

/** Where execvp(3) would find a program. Undefined: nowhere; `denied`: there is a file that may not be executed. */
export function findProgram(name: string, path: string): { readonly path: string } | 'denied' | undefined {
  let denied = false;
  for (const directory of name.includes('/') ? [''] : path.split(':')) {
    const candidate = name.includes('/') ? name : `${directory === '' ? '.' : directory}/${name}`;
    try {
      if (!statSync(candidate).isFile()) continue;
      accessSync(candidate, constants.X_OK);
      return { path: candidate };
    } catch (error) {
      denied ||= (error as NodeJS.ErrnoException).code === 'EACCES';
    }
  }
  return denied ? 'denied' : undefined;
}
