import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { describe, expect, it } from 'vitest';
import { SyscallError } from './errno.ts';
import { addressOf, SYSCALL_NUMBERS, syscall, syscallAsync, trySyscall } from './syscall.ts';

describe('system calls', () => {
  it('have a number of their own on each architecture', () => {
    for (const arch of ['x64', 'arm64'] as const) {
      const numbers = Object.values(SYSCALL_NUMBERS).map((entry) => entry[arch]);
      expect(new Set(numbers).size, arch).toBe(numbers.length);
    }
  });

  it('return the negative error number, or throw it', () => {
    expect(trySyscall('flock', -1, 2)).toBe(-9);
    expect(() => syscall('flock', [-1, 2], 'locking nothing')).toThrow(new SyscallError('locking nothing', 9).message);
  });

  it('wait on another thread', async () => {
    const fd = openSync(devNull, 'r');
    const started = performance.now();
    const time = new Uint8Array(16);
    new DataView(time.buffer).setBigInt64(8, 20_000_000n, true);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    expect(await syscallAsync('ppoll', [undefined, 0, time, 0, 0])).toBe(0);
    clearInterval(timer);
    closeSync(fd);
    expect(performance.now() - started).toBeGreaterThan(15);
    expect(turns).toBeGreaterThan(1);
  });

  it('keep the address of memory, however small', () => {
    const small = new Uint8Array(8);
    const before = addressOf(small);
    for (let i = 0; i < 1e4; i++) new Uint8Array(64).fill(i);
    expect(addressOf(small)).toBe(before);
    expect(addressOf(small.subarray(3))).toBe(before + 3n);
    expect(addressOf(new Uint8Array(0))).toBe(0n);
  });
});
