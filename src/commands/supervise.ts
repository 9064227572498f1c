/** `bpfilter supervise -- COMMAND`: the command's own iptables works on bpfilter's rules. */

import { startCommand } from '../supervise/command-process.ts';
import { serve } from '../supervise/supervisor.ts';
import { wholeNumber } from './arguments.ts';
import type { Invocation } from './command.ts';

const DEFAULT_QUIET = 100;
/** The terminal sends these to the command, too; whether to end is its own affair. */
const SHARED = ['SIGINT', 'SIGQUIT'] as const satisfies readonly NodeJS.Signals[];
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const satisfies readonly NodeJS.Signals[];

export async function run({ operands, options, output }: Invocation): Promise<number> {
  const quiet = wholeNumber('settle', options['settle']) ?? DEFAULT_QUIET;
  const say = (text: string): void => output.err(`bpfilter supervise: ${text}`);
  const report = { note: options['verbose'] === true ? say : (): void => {}, complain: say };
  const command = await startCommand(operands);
  for (const signal of SHARED) process.on(signal, () => {});
  for (const signal of FORWARDED) process.on(signal, () => command.kill(signal));
  // Programs of the system that this process starts must not wait for the lock that a client holds while it waits for an answer.
  process.env['XTABLES_LOCKFILE'] = `/run/bpfilter/supervise-${process.pid}.lock`;
  try {
    if (command.listener !== undefined) await serve(command.listener, { quiet, report });
    return await command.ended;
  } finally {
    command.listener?.close();
  }
}
