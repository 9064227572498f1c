import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { measureHz, nearestHz, openClockReader, readClocks } from './clock.ts';
import { configuredHz, kernelConfig } from './facts.ts';

it('rounds a measured rate to one a kernel can have', () => {
  expect([99, 101, 249.2, 260, 290, 310, 995, 1010].map(nearestHz)).toEqual([100, 100, 250, 250, 300, 300, 1000, 1000]);
});

suite("the kernel's clocks", ['root', 'btf'], () => {
  it('go on', () => {
    const reader = openClockReader();
    const first = reader.read();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
    const second = reader.read();
    reader.close();
    expect(second.jiffies).toBeGreaterThan(first.jiffies);
    expect(Number(second.monotonicNs - first.monotonicNs)).toBeGreaterThan(29e6);
    expect(Math.abs(Number(readClocks().monotonicNs - process.hrtime.bigint()))).toBeLessThan(1e9);
  });

  it('tick as the kernel was configured', () => {
    const configured = configuredHz(kernelConfig() ?? '');
    expect(measureHz()).toBe(configured ?? measureHz());
  });
});
