import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ecn } from './ecn.ts';

describe('ecn', () => {
  it.each<PrintCase>([
    ['--ecn-ip-ect 3', '=', { protocol: 6 }],
    ['--ecn-ip-ect 3', '='],
    ['--ecn-ip-ect 4', 'refused'],
    ['', 'refused'],
    ['--ecn-tcp-ece', '=', { protocol: 6 }],
    ['--ecn-tcp-ece --ecn-tcp-cwr', '=', { protocol: 6 }],
    ['--ecn-tcp-ece', 'refused', { protocol: -6 }],
    ['--ecn-ip-ect 0 ! --ecn-ip-ect 1', 'refused'],
    ['! --ecn-ip-ect 1', '='],
  ])('%s', (text, expected, context) => {
    expect(printed(ecn, text, context)).toBe(expected === '=' ? text : expected);
  });
});
