/** `bpfilter apply` as a process of its own, killed at an instant that the caller chooses. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { REPOSITORY } from '../../support/suite.ts';

const PROGRAM = join(REPOSITORY, 'bin', 'bpfilter');

export interface Ending {
  /** Exit status, or null for a process that was killed. */
  readonly status: number | null;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** Runs bpfilter with these arguments; kills it with SIGKILL after `killAfterMs` unless it ended before. */
export async function runBpfilter(args: readonly string[], killAfterMs?: number): Promise<Ending> {
  const started = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status));
  });
  if (killAfterMs !== undefined) {
    const running = Symbol('running');
    const first = await Promise.race([ended, sleep(killAfterMs).then(() => running)]);
    if (first === running) child.kill('SIGKILL');
  }
  const status = await ended;
  return { status, stderr, milliseconds: performance.now() - started };
}
