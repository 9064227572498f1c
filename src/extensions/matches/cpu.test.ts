import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { cpu } from './cpu.ts';

describe('cpu', () => {
  it.each<PrintCase>([
    ['--cpu 0x5', '--cpu 5'],
    ['! --cpu 0', '='],
    ['--cpu 4294967296', 'refused'],
    ['', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(cpu, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('! --cpu 3', () => {
    expect(lowers(cpu, '! --cpu 3')).toMatchInlineSnapshot(`
      [
        "require meta.cpu = 0-2|4-0xffffffff",
      ]
    `);
  });
});
