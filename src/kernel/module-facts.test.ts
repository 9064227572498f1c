import { expect, it } from 'vitest';
import { hashlimitBuckets, readModuleFacts } from './module-facts.ts';

it('takes buckets from the memory', () => {
  expect(hashlimitBuckets('MemTotal:        8000000 kB\n')).toBe(8192);
  expect(hashlimitBuckets('MemTotal:         524288 kB\n')).toBe(4096);
  expect(hashlimitBuckets('MemTotal:            512 kB\n')).toBe(16);
});

it('reads what this kernel uses', () => {
  const { recentEntries, recentStamps } = readModuleFacts();
  expect(recentEntries).toBeGreaterThan(0);
  expect(recentStamps).toBeGreaterThanOrEqual(0);
});
