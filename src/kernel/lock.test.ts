import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { acquireLock, LockTimeoutError, withLock } from './lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'bfk-lock-'));
const path = join(folder, 'lock');
afterAll(() => rmSync(folder, { recursive: true }));

it('excludes others until released', () => {
  const lock = acquireLock(path, 0);
  const started = performance.now();
  expect(() => acquireLock(path, 40)).toThrow(LockTimeoutError);
  expect(performance.now() - started).toBeGreaterThanOrEqual(39);
  lock.release();
  lock.release();
  expect(withLock(path, 0, () => 7)).toBe(7);
});

it('is released when the work fails', () => {
  const work = (): void => {
    throw new Error('failed');
  };
  expect(() => withLock(path, 0, work)).toThrow('failed');
  acquireLock(path, 0).release();
});

it('waits for another process and outlives its death', async () => {
  const holder = spawn('flock', [path, 'sleep', '0.15'], { stdio: 'ignore' });
  await once(holder, 'spawn');
  const deadline = performance.now() + 5_000;
  for (let held = false; !held && performance.now() < deadline; ) {
    try {
      acquireLock(path, 0).release();
    } catch {
      held = true;
    }
  }
  acquireLock(path, 5_000).release();
});

it('says so when the file cannot be opened', () => {
  expect(() => acquireLock(join(folder, 'none', 'lock'), 0)).toThrow('ENOENT');
});
