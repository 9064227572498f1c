/**
 * The process that becomes the supervised command: `node launcher.js PID COMMAND ARGUMENT...`. It puts the filter on itself, tells the supervisor
 * the listener's number over descriptor 3, waits until that has taken it, and executes the command. Node has no place between fork and exec.
 */

import { closeSync, readSync, writeSync } from 'node:fs';
import { ERRNO, isErrno, SyscallError } from '../kernel/errno.ts';
import { execute, findProgram } from '../kernel/exec.ts';
import { installTableCallFilter } from '../kernel/seccomp.ts';

/** What env(1) and the shells say of a program that cannot be executed, and of one that is not there. */
const STATUS = { failed: 1, denied: 126, missing: 127 } as const;
const CHANNEL = 3;

function main([parent = '', name = '', ...rest]: readonly string[]): void {
  const program = findProgram(name, process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin');
  if (program === undefined) stop(STATUS.missing, `${name}: command not found`);
  if (program === 'denied') stop(STATUS.denied, `${name}: permission denied`);
  try {
    writeSync(CHANNEL, `${installTableCallFilter()}\n`);
    if (readSync(CHANNEL, new Uint8Array(1)) !== 1) process.exit(STATUS.failed);
    closeSync(CHANNEL);
    execute(program.path, [name, ...rest], Number(parent));
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (error.command === 'seccomp') stop(STATUS.failed, why(error));
    stop(isErrno(error, 'EACCES') ? STATUS.denied : STATUS.failed, `${name}: ${error.message}`);
  }
}

function why(error: SyscallError): string {
  if (error.errno === ERRNO.EBUSY.number) return 'somebody else answers system calls of this process already';
  if (error.errno === ERRNO.EACCES.number) return 'this needs CAP_SYS_ADMIN (run as root)';
  return error.message;
}

function stop(status: number, message: string): never {
  process.stderr.write(`bpfilter supervise: ${message}\n`);
  process.exit(status);
}

main(process.argv.slice(2));
