import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { nfacct } from './nfacct.ts';

describe('nfacct', () => {
  it.each<PrintCase>([
    ['--nfacct-name test', '='],
    ['--nfacct-name ""', 'refused'],
    ['', 'refused'],
    ['! --nfacct-name x', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(nfacct, text, context)).toBe(expected === '=' ? text : expected);
  });
});
