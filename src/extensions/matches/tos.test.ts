import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { tos } from './tos.ts';

describe('tos', () => {
  it.each<PrintCase>([
    ['--tos 0x10/0x1f', '='],
    ['--tos 5/3', '--tos 0x05/0x03'],
    ['--tos 256', 'refused'],
    ['! --tos minimize-cost', '! --tos 0x02/0x3f'],
    ['--tos min', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(tos, text, context)).toBe(expected === '=' ? text : expected);
  });
});
