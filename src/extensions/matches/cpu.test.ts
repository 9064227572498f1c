import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { cpu } from './cpu.ts';

describe('cpu', () => {
  it.each<PrintCase>([['', 'refused']])('%s', (text, expected, context) => {
    expect(printed(cpu, text, context)).toBe(expected === '=' ? text : expected);
  });
});
