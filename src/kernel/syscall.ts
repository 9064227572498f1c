/**
 * The one door to the system: libc's `syscall` and memory that the kernel shares with us. No other file imports koffi.
 *
 * koffi is loaded on first use, so that everything that never asks the kernel runs without it.
 */

import { createRequire } from 'node:module';
import { SyscallError } from './errno.ts';

/** System call numbers (arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h for arm64). */
export const SYSCALL_NUMBERS = {
  bpf: { x64: 321, arm64: 280 },
  setns: { x64: 308, arm64: 268 },
  unshare: { x64: 272, arm64: 97 },
  mmap: { x64: 9, arm64: 222 },
  close: { x64: 3, arm64: 57 },
  munmap: { x64: 11, arm64: 215 },
  flock: { x64: 73, arm64: 32 },
  mount: { x64: 165, arm64: 40 },
  umount2: { x64: 166, arm64: 39 },
  socket: { x64: 41, arm64: 198 },
  bind: { x64: 49, arm64: 200 },
  sendto: { x64: 44, arm64: 206 },
  recvfrom: { x64: 45, arm64: 207 },
  setsockopt: { x64: 54, arm64: 208 },
  getsockopt: { x64: 55, arm64: 209 },
  ppoll: { x64: 271, arm64: 73 },
  ioctl: { x64: 16, arm64: 29 },
  connect: { x64: 42, arm64: 203 },
  listen: { x64: 50, arm64: 201 },
  accept4: { x64: 288, arm64: 242 },
  setfsuid: { x64: 122, arm64: 151 },
  setfsgid: { x64: 123, arm64: 152 },
  sched_setaffinity: { x64: 203, arm64: 122 },
  seccomp: { x64: 317, arm64: 277 },
  pidfd_send_signal: { x64: 424, arm64: 424 },
  pidfd_open: { x64: 434, arm64: 434 },
  pidfd_getfd: { x64: 438, arm64: 438 },
  process_vm_readv: { x64: 310, arm64: 270 },
  process_vm_writev: { x64: 311, arm64: 271 },
  fcntl: { x64: 72, arm64: 25 },
  execve: { x64: 59, arm64: 221 },
  rt_sigaction: { x64: 13, arm64: 134 },
  prlimit64: { x64: 302, arm64: 261 },
  capget: { x64: 125, arm64: 90 },
} as const satisfies Record<string, Record<'x64' | 'arm64', number>>;

export type SyscallName = keyof typeof SYSCALL_NUMBERS;

/** A number, an address, memory (its address is passed; the caller keeps it alive), or nothing (0). */
export type SyscallArgument = number | bigint | Uint8Array | undefined;

type NativeSyscall = (
  number: number,
  a: number | bigint,
  b: number | bigint,
  c: number | bigint,
  d: number | bigint,
  e: number | bigint,
  f: number | bigint,
) => number | bigint;

interface AsyncSyscall {
  async(...args: [...Parameters<NativeSyscall>, (error: unknown, result: number | bigint) => void]): void;
}

interface Native {
  readonly syscall: NativeSyscall & AsyncSyscall;
  readonly numbers: Readonly<Record<SyscallName, number>>;
  errno(): number;
  address(memory: Uint8Array): bigint;
  view(address: bigint, length: number): ArrayBuffer;
}

let library: Native | undefined;

function open(): Native {
  const arch = process.arch;
  if (process.platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    throw new Error(
      `bpfilter needs Linux on x86_64 or arm64 to reach the kernel; this is ${process.platform} on ${arch}`,
    );
  }
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const word = 'int64';
  const numbers = Object.fromEntries(
    Object.entries(SYSCALL_NUMBERS).map(([name, entry]) => [name, entry[arch]]),
  ) as Record<SyscallName, number>;
  return {
    syscall: koffi.load(null).func('syscall', word, [word, word, word, word, word, word, word]),
    numbers,
    errno: () => koffi.errno(),
    address: (memory) => koffi.address(memory),
    view: (address, length) => koffi.view(address, length),
  };
}

function lib(): Native {
  library ??= open();
  return library;
}

/** The address of a view's first byte; stable as long as the view lives (asking for it moves small arrays off V8's heap). */
export function addressOf(memory: Uint8Array): bigint {
  return memory.length === 0 ? 0n : lib().address(memory);
}

function word(argument: SyscallArgument): number | bigint {
  if (argument === undefined) return 0;
  return typeof argument === 'object' ? addressOf(argument) : argument;
}

/** Memory of the call under way: V8 may otherwise free an array after the last use it can see, which is before the call. */
const call = { memory: [] as readonly SyscallArgument[] };

/**
 * One system call on the calling thread.
 * @returns the result, or the negative error number: nothing is thrown.
 */
export function trySyscall(
  name: SyscallName,
  a?: SyscallArgument,
  b?: SyscallArgument,
  c?: SyscallArgument,
  d?: SyscallArgument,
  e?: SyscallArgument,
  f?: SyscallArgument,
): number {
  const { syscall: native, numbers, errno } = lib();
  call.memory = [a, b, c, d, e, f];
  const result = native(numbers[name], word(a), word(b), word(c), word(d), word(e), word(f));
  call.memory = [];
  return result === -1 ? -errno() : Number(result);
}

/** Like trySyscall, but a failure is thrown as SyscallError with `command` (default: the call's name). */
export function syscall(name: SyscallName, args: readonly SyscallArgument[], command: string = name): number {
  const result = trySyscall(name, args[0], args[1], args[2], args[3], args[4], args[5]);
  if (result < 0) throw new SyscallError(command, -result);
  return result;
}

/** Arguments of asynchronous calls under way. */
const waiting = new Set<readonly SyscallArgument[]>();

/**
 * The same call on a worker thread, for calls that wait.
 * Per-thread state (network namespace) is that of the process's start. Resolves to the result; failures count as 0.
 */
export function syscallAsync(name: SyscallName, args: readonly SyscallArgument[]): Promise<number> {
  const { syscall: native, numbers } = lib();
  waiting.add(args);
  return new Promise((resolve) => {
    native.async(
      numbers[name],
      word(args[0]),
      word(args[1]),
      word(args[2]),
      word(args[3]),
      word(args[4]),
      word(args[5]),
      (_error, result) => {
        waiting.delete(args);
        resolve(Math.max(0, Number(result ?? 0)));
      },
    );
  });
}

/** `mmap` protection bits. */
export const PROT = { READ: 1, WRITE: 2 } as const;
const MAP_SHARED = 1;

/** Memory shared with the kernel. Owns the mapping: after close() the bytes must not be touched. */
export interface MappedMemory {
  readonly bytes: Uint8Array;
  close(): void;
}

/** Maps `length` bytes of `fd` from `offset` (both multiples of the page size), shared. */
export function mapMemory(fd: number, length: number, offset: number, protection: number): MappedMemory {
  const address = BigInt(syscall('mmap', [0, length, protection, MAP_SHARED, fd, offset]));
  let open = true;
  return {
    bytes: new Uint8Array(lib().view(address, length)),
    close() {
      if (!open) return;
      open = false;
      syscall('munmap', [address, length]);
    },
  };
}
