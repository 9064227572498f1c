import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { audit } from './audit.ts';

describe('AUDIT', () => {
  it.each<PrintCase>([
    ['--type ACCEPT', '--type accept'],
    ['--type acc', 'refused'],
    ['--type DrOp', '--type drop'],
  ])('%s', (text, expected, context) => {
    expect(printed(audit, text, context)).toBe(expected === '=' ? text : expected);
  });
});
