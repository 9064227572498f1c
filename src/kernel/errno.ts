/**
 * Linux error numbers as data. The values are those of asm-generic/errno.h, which x86_64 and arm64 share, so that a number
 * seen on one machine has the same name on every other (os.constants differs between platforms and lacks ENOTSUPP).
 */

interface ErrnoEntry {
  readonly number: number;
  readonly text: string;
}

export const ERRNO = {
  EPERM: { number: 1, text: 'operation not permitted' },
  ENOENT: { number: 2, text: 'no such file or object' },
  ESRCH: { number: 3, text: 'no such process' },
  EINTR: { number: 4, text: 'interrupted system call' },
  EIO: { number: 5, text: 'input/output error' },
  ENXIO: { number: 6, text: 'no such device or address' },
  E2BIG: { number: 7, text: 'argument too large' },
  EBADF: { number: 9, text: 'bad file descriptor' },
  EAGAIN: { number: 11, text: 'try again' },
  ENOMEM: { number: 12, text: 'out of memory' },
  EACCES: { number: 13, text: 'permission denied' },
  EFAULT: { number: 14, text: 'bad address' },
  EBUSY: { number: 16, text: 'busy' },
  EEXIST: { number: 17, text: 'exists already' },
  EXDEV: { number: 18, text: 'crosses file systems' },
  ENODEV: { number: 19, text: 'no such device' },
  ENOTDIR: { number: 20, text: 'not a directory' },
  EISDIR: { number: 21, text: 'is a directory' },
  EINVAL: { number: 22, text: 'invalid argument' },
  ENFILE: { number: 23, text: 'too many open files in the system' },
  EMFILE: { number: 24, text: 'too many open files' },
  EFBIG: { number: 27, text: 'file too large' },
  ENOSPC: { number: 28, text: 'no space left' },
  EROFS: { number: 30, text: 'read-only file system' },
  ERANGE: { number: 34, text: 'out of range' },
  EDEADLK: { number: 35, text: 'would deadlock' },
  ENAMETOOLONG: { number: 36, text: 'name too long' },
  ENOSYS: { number: 38, text: 'system call not available' },
  ENOTEMPTY: { number: 39, text: 'not empty' },
  ELOOP: { number: 40, text: 'too many links or a loop' },
  EPROTO: { number: 71, text: 'protocol error' },
  EOVERFLOW: { number: 75, text: 'value too large' },
  ENOTSOCK: { number: 88, text: 'not a socket' },
  EMSGSIZE: { number: 90, text: 'message too long' },
  ENOPROTOOPT: { number: 92, text: 'no such socket option' },
  EPROTONOSUPPORT: { number: 93, text: 'protocol not supported' },
  EOPNOTSUPP: { number: 95, text: 'operation not supported' },
  EAFNOSUPPORT: { number: 97, text: 'address family not supported' },
  EADDRINUSE: { number: 98, text: 'address in use' },
  ENETDOWN: { number: 100, text: 'network is down' },
  ENOBUFS: { number: 105, text: 'no buffer space' },
  ETIMEDOUT: { number: 110, text: 'timed out' },
  EALREADY: { number: 114, text: 'already in progress' },
  ESTALE: { number: 116, text: 'stale handle' },
  ENOTSUPP: { number: 524, text: 'not supported' },
} as const satisfies Record<string, ErrnoEntry>;

export type ErrnoName = keyof typeof ERRNO;

const NAME_OF: ReadonlyMap<number, ErrnoName> = new Map(
  (Object.keys(ERRNO) as ErrnoName[]).map((name) => [ERRNO[name].number, name]),
);

/** `EBUSY` for 16; `errno 200` for a number that the table does not have. */
export function errnoName(errno: number): string {
  return NAME_OF.get(errno) ?? `errno ${errno}`;
}

/** The kernel refused something. `command` says what was asked, `hint` what usually helps. */
export class SyscallError extends Error {
  override readonly name: string = 'SyscallError';
  /** What was being done, e.g. `bpf(LINK_CREATE)` or `setns`. */
  readonly command: string;
  readonly errno: number;
  /** The symbol of `errno`, e.g. `EBUSY`. */
  readonly errnoName: string;
  readonly hint: string | undefined;

  constructor(command: string, errno: number, hint?: string) {
    const name = errnoName(errno);
    const known = NAME_OF.get(errno);
    const text = known === undefined ? name : `${ERRNO[known].text} (${known})`;
    super(`${command}: ${text}${hint === undefined ? '' : `; ${hint}`}`);
    this.command = command;
    this.errno = errno;
    this.errnoName = name;
    this.hint = hint;
  }
}

/** Whether `error` is the kernel's answer `name`: the way to ask, instead of comparing text. */
export function isErrno(error: unknown, ...names: readonly ErrnoName[]): error is SyscallError {
  return error instanceof SyscallError && names.some((name) => ERRNO[name].number === error.errno);
}

/** The same error with a hint added: for a caller that knows more about what was attempted. */
export function withHint(error: SyscallError, hint: string): SyscallError {
  return new SyscallError(error.command, error.errno, error.hint === undefined ? hint : `${error.hint}; ${hint}`);
}
