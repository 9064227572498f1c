/**
 * From what was thrown to a message and an exit status. Errors are recognised by their shape, so that a command that
 * never touches the kernel does not load the kernel's folder for its error classes.
 */

import { isFirewallError } from '../firewall/failure.ts';
import { EXIT } from './command.ts';

export interface Failure {
  readonly message: string;
  readonly status: number;
}

const FIREWALL_STATUS = {
  failed: EXIT.failure,
  unsupported: EXIT.unsupported,
  denied: EXIT.denied,
} as const;

/** `EPERM` and `EACCES` as numbers (Linux). */
const NOT_PERMITTED: readonly unknown[] = ['EPERM', 'EACCES', 1, 13];

/** Says in one message what went wrong, with its causes. */
export function describeFailure(error: unknown): Failure {
  const message = messageOf(error);
  if (isFirewallError(error)) return { message, status: FIREWALL_STATUS[error.kind] };
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isNotPermitted(cause)) {
      return {
        message: `${message}\nThis needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN.`,
        status: EXIT.denied,
      };
    }
  }
  return { message, status: EXIT.failure };
}

function isNotPermitted(error: Error): boolean {
  if ('errno' in error && NOT_PERMITTED.includes(error.errno)) return true;
  return 'code' in error && NOT_PERMITTED.includes(error.code);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
