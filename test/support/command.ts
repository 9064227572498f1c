/** Running the system's programs, synchronously and with their complaints in the exception. */
import { spawnSync } from 'node:child_process';

/** Runs `program` and returns its standard output. Throws with its standard error when it fails. */
export function run(program: string, args: readonly string[], input = '', env: Record<string, string> = {}): string {
  const result = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, ...env },
  });
  if (result.error !== undefined) throw new Error(`${program}: ${result.error.message}`);
  if (result.status !== 0) {
    const why = result.stderr.trim() || result.stdout.trim();
    throw new Error(`${program} ${args.join(' ')}: exit status ${result.status}: ${why}`);
  }
  return result.stdout;
}

/** True when the program exists and answers `args` with exit status 0. */
export function works(program: string, args: readonly string[]): boolean {
  try {
    run(program, args);
    return true;
  } catch {
    return false;
  }
}

export interface IpBatchOptions {
  readonly namespace?: string;
  /** `-4` or `-6`: the family of routes and rules that do not show it. */
  readonly family?: '-4' | '-6';
}

/** `ip -batch`: many commands of iproute2 in one process, optionally inside a namespace. */
export function ipBatch(lines: readonly string[], options: IpBatchOptions = {}): void {
  if (lines.length === 0) return;
  const { namespace, family } = options;
  const args = [...(namespace === undefined ? [] : ['-n', namespace]), ...(family === undefined ? [] : [family])];
  run('ip', [...args, '-batch', '-'], `${lines.join('\n')}\n`);
}
