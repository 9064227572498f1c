import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { idletimer } from './idletimer.ts';

describe('IDLETIMER', () => {
  it.each<PrintCase>([
    ['--timeout 0 --label foo', 'refused'],
    ['--timeout 5 --label 012345678901234567890123456', '='],
    ['--timeout 5 --label 0123456789012345678901234567', '--timeout 5 --label 012345678901234567890123456'],
    [
      '--timeout 5 --label 0123456789012345678901234567012345678901234567',
      '--timeout 5 --label 012345678901234567890123456',
    ],
    ['--timeout 4294967295 --label f1', 'refused'],
    ['--timeout 2147483 --label f2', 'refused'],
    ['--timeout 2147484 --label f2b', 'refused'],
    ['--timeout 4294967296 --label f3', 'refused'],
    ['--timeout 5 --label ""', 'refused'],
    ['--timeout 5 --label power', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(idletimer, text, context)).toBe(expected === '=' ? text : expected);
  });
});
