import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { realm } from './realm.ts';

describe('realm', () => {
  it.each<PrintCase>([['--realm 0', '--realm cosmos']])('%s', (text, expected, context) => {
    expect(printed(realm, text, context)).toBe(expected === '=' ? text : expected);
  });
});
