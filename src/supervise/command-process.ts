/** The supervised command as a child: started under the filter, its listener in our hands, its end as an exit status. */

import { spawn } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { takeDescriptor } from '../kernel/process-memory.ts';
import { type Listener, openListener } from '../kernel/seccomp.ts';

export interface CommandProcess {
  /** Undefined: it ended before its first system call, and has said why. */
  readonly listener: Listener | undefined;
  /** Resolves to the exit status, 128 and the signal's number for one that was killed. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
}

export async function startCommand(argv: readonly string[]): Promise<CommandProcess> {
  const launcher = fileURLToPath(new URL('./launcher.js', import.meta.url));
  if (!existsSync(launcher)) throw new Error(`${launcher} is not there: bpfilter supervise runs compiled only`);
  const child = spawn(process.execPath, [launcher, String(process.ppid), ...argv], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0))),
    );
  });
  const channel = child.stdio[CHANNEL] as Socket;
  const number = await Promise.race([numberFrom(channel), ended.then(() => undefined)]);
  let listener: Listener | undefined;
  if (number !== undefined && child.pid !== undefined) {
    listener = openListener(takeDescriptor(child.pid, number), closeSync);
    channel.end('\n');
  }
  channel.on('error', () => {});
  channel.unref();
  return { listener, ended, kill: (signal) => void child.kill(signal) };
}

const CHANNEL = 3;

function numberFrom(channel: Socket): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = '';
    channel.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      if (text.endsWith('\n')) resolve(Number(text));
    });
    channel.on('end', () => resolve(undefined));
    channel.on('error', () => resolve(undefined));
  });
}
