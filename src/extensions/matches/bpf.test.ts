import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { bpf } from './bpf.ts';

describe('bpf', () => {
  it.each<PrintCase>([['--object-pinned /sys/fs/bpf/x', '=']])('%s', (text, expected, context) => {
    expect(printed(bpf, text, context)).toBe(expected === '=' ? text : expected);
  });
});
