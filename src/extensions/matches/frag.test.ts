import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
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

  it('looks for its header', () => {
    const [has, evil, yes] = lowers(frag, '--fragid 5:6 --fragres --fragmore', { family: 'ipv6' });
    expect(has).toBe('require network[6:8] = 0|43-44|51|60');
    expect(evil).toBe(`hotdrop evil ${yes?.slice('require '.length)}`);
    expect(JSON.parse(yes?.slice('require '.length) ?? '')).toEqual({
      kind: 'extensionHeader',
      header: 44,
      least: 8,
      unreadable: 'evil',
      tests: [
        { offset: 4, size: 4, ranges: [{ min: 5, max: 6 }] },
        { offset: 1, size: 1, ranges: [{ min: 0, max: 0 }] },
        { offset: 2, size: 2, mask: 6, ranges: [{ min: 0, max: 0 }] },
        { offset: 2, size: 2, mask: 1, ranges: [{ min: 1, max: 1 }] },
      ],
    });
  });
});
