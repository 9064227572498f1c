import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { tee } from './tee.ts';

describe('TEE', () => {
  it.each<PrintCase>([
    ['--gateway 1.2.3.4 --oif eth0', '='],
    ['--oif eth0', 'refused'],
    ['--gateway 0.0.0.0', 'refused'],
    ['--gateway 1.2.3.4 --oif ""', '--gateway 1.2.3.4'],
    ['--gateway 1.2.3.4 --oif 0123456789012345', '--gateway 1.2.3.4 --oif 012345678901234'],
    ['--gateway 1.2.3.4 --oif 012345678901234', '='],
    ['--gateway 1.2.3.4 --oif eth+', '='],
    ['--gateway 2001::1', '=', { family: 'ipv6' }],
    ['--gateway 1.2.3.4', 'refused', { family: 'ipv6' }],
    ['--gateway 1.2.3.4/24', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(tee, text, context)).toBe(expected === '=' ? text : expected);
  });
});
