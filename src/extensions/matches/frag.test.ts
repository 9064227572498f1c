import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { frag } from './frag.ts';

describe('frag', () => {
  it.each<PrintCase>([
    ['--fragid 5:6 --fraglen 8 --fragres --fragfirst', '=', { family: 'ipv6' }],
    ['--fragmore', '=', { family: 'ipv6' }],
    ['--fraglast', '=', { family: 'ipv6' }],
    ['--fragmore --fraglast', 'refused', { family: 'ipv6' }],
    ['--fragfirst --fraglast', '=', { family: 'ipv6' }],
    ['--fragfirst --fragmore', '=', { family: 'ipv6' }],
    ['! --fragid 5', '=', { family: 'ipv6' }],
    ['! --fragfirst', 'refused', { family: 'ipv6' }],
    ['--fragid 0:4294967295', '', { family: 'ipv6' }],
    ['--fragid 7:', '--fragid 7:4294967295', { family: 'ipv6' }],
    ['! --fraglen 8', '=', { family: 'ipv6' }],
    ['--fraglen 0', '=', { family: 'ipv6' }],
    ['', '', { family: 'ipv6' }],
    ['! --fragid :', '! --fragid 0:4294967295', { family: 'ipv6' }],
    ['--fragid 6:5', 'refused', { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(printed(frag, text, context)).toBe(expected === '=' ? text : expected);
  });
});
