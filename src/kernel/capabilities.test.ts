import { expect, it } from 'vitest';
import { effectiveCapabilities, missingCapabilities } from './capabilities.ts';

it('names what is missing', () => {
  expect(missingCapabilities(0n)).toEqual(['CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_PERFMON', 'CAP_BPF']);
  expect(missingCapabilities((1n << 41n) - 1n)).toEqual([]);
  expect(missingCapabilities((1n << 38n) | (1n << 39n) | (1n << 12n))).toEqual(['CAP_SYS_ADMIN']);
  expect(missingCapabilities(1n << 21n)).toEqual(['CAP_NET_ADMIN']);
});

it('reads those of this thread', () => {
  expect(effectiveCapabilities() > 0n).toBe(process.getuid?.() === 0);
});
