import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { cgroup } from './cgroup.ts';

describe('cgroup', () => {
  it.each<PrintCase>([['--path ""', '=', { family: 'ipv6' }]])('%s', (text, expected, context) => {
    expect(printed(cgroup, text, context)).toBe(expected === '=' ? text : expected);
  });
});
