import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { led } from './led.ts';

describe('LED', () => {
  it.each<PrintCase>([['--led-trigger-id foo --led-delay -1', 'refused']])('%s', (text, expected, context) => {
    expect(printed(led, text, context)).toBe(expected === '=' ? text : expected);
  });
});
