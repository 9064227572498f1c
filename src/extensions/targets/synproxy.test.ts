import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { synproxy } from './synproxy.ts';

describe('SYNPROXY', () => {
  it.each<PrintCase>([['--wscale 255', '=', { protocol: 6 }]])('%s', (text, expected, context) => {
    expect(printed(synproxy, text, context)).toBe(expected === '=' ? text : expected);
  });
});
