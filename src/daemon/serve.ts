/** One program's request: whether it is served here, and carrying it out. */

import { findCommand } from '../commands/command-table.ts';
import type { Host } from '../commands/host.ts';
import { lockPath } from '../commands/iptables/lock.ts';
import { isProgram } from '../commands/iptables/programs.ts';
import { runProgram } from '../commands/iptables/run-program.ts';
import { main } from '../commands/main.ts';
import { collectedOutput } from '../commands/output.ts';
import type { TablesSession } from '../firewall/tables-session.ts';
import { type AskingHost, Unanswered } from './asking-host.ts';
import { folderIdentity, packageVersion } from './client.ts';
import { PROTOCOL, type Question, type Request } from './protocol.ts';

export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** This package's. */
export const MANIFEST = new URL('../../package.json', import.meta.url);
const VERSION = packageVersion(MANIFEST);

/** Commands of `bpfilter` that are served; the others need their own process. */
const SERVED: readonly string[] = ['apply', 'save', 'list'];

/** Why a request is not served here; undefined: it is. */
export function reasonToDecline(request: Request): string | undefined {
  if (request.protocol !== PROTOCOL || request.version !== VERSION) return `the daemon is of version ${VERSION}`;
  const { program, argv, lockFile, lockFolder, cwd } = request;
  const lock = lockPath(lockFile);
  if (lockFolder !== folderIdentity(lock.startsWith('/') ? lock : `${cwd}/${lock}`))
    return 'the daemon has another directory where the lock is';
  if (isProgram(program)) return undefined;
  const [command = '', ...rest] = argv;
  if (isProgram(command)) return undefined;
  if (findCommand(command) === undefined || !SERVED.includes(command)) return `it does not carry out ${command}`;
  // Names of namespaces and devices are the caller's to resolve.
  const elsewhere = rest.find((word) => /^--(netns|xdp)\b/.test(word));
  return elsewhere === undefined ? undefined : `it does not carry out ${elsewhere}`;
}

/** Runs the program, asking for what it needs to know; what it writes comes at the end. */
export async function serve(
  { program, argv }: Request,
  host: AskingHost,
  tables: TablesSession,
  ask: (question: Question) => Promise<void>,
): Promise<Finished> {
  for (;;) {
    const output = collectedOutput();
    try {
      const status = await run(program, argv, output, { host, tables });
      return { status, stdout: output.stdout(), stderr: output.stderr() };
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      await ask(error.question);
    }
  }
}

function run(
  program: string,
  argv: readonly string[],
  output: ReturnType<typeof collectedOutput>,
  place: { readonly host: Host; readonly tables: TablesSession },
): Promise<number> {
  return isProgram(program) ? runProgram(program, argv, output, place) : main(argv, output, place);
}
