import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { esp } from './esp.ts';

describe('esp', () => {
  it.each<PrintCase>([
    ['--espspi 0x10', '--espspi 16', { protocol: 50 }],
    ['--espspi ""', '--espspi 0', { protocol: 50 }],
    ['! --espspi :', '! --espspi 0:4294967295', { protocol: 50 }],
    ['--espspi 4:3', 'refused', { protocol: 50 }],
  ])('%s', (text, expected, context) => {
    expect(printed(esp, text, context)).toBe(expected === '=' ? text : expected);
  });
});
