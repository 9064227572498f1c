import { expect, it } from 'vitest';
import { parseCpuList, possibleCpuCount } from './cpus.ts';

it('reads lists of CPUs', () => {
  expect(parseCpuList('0\n')).toEqual([0]);
  expect(parseCpuList('0-3,8,10-11\n')).toEqual([0, 1, 2, 3, 8, 10, 11]);
  expect(() => parseCpuList('')).toThrow('not a list of CPUs');
  expect(() => parseCpuList('0-')).toThrow('not a list of CPUs');
});

it('knows this machine', () => {
  expect(possibleCpuCount()).toBeGreaterThan(0);
});
