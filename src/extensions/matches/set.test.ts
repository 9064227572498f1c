import { describe, expect, it } from 'vitest';
import { asks, lowers, type PrintCase, printed } from '../case-runner.ts';
import { set } from './set.ts';

describe('set', () => {
  it.each<PrintCase>([
    ['--match-set foo src', '='],
    ['--match-set', 'refused'],
    ['--match-set foo', 'refused'],
    ['', 'refused'],
    ['! --match-set foo dst', '='],
    ['--match-set bar src,dst', '='],
    ['--match-set bar src', '='],
    ['--match-set bar src,dst,src', '='],
    ['--match-set foo src,src', '='],
    ['--match-set foo SRC', 'refused'],
    ['--match-set foo foo', 'refused'],
    ['--match-set foo src,dst,src,dst,src,dst', '='],
    ['--match-set foo src,dst,src,dst,src,dst,src', 'refused'],
    ['--match-set foo ""', 'refused'],
    ['--set foo src', '--match-set foo src'],
    ['--match-set foo src --return-nomatch', '='],
    ['--match-set foo src ! --update-counters ! --update-subcounters', '='],
    ['--match-set foo src --update-counters', '--match-set foo src'],
    ['--match-set foo src --packets-eq 5 --bytes-gt 10', '='],
    ['--match-set foo src ! --packets-eq 5 ! --bytes-eq 10', '='],
    ['--match-set foo src --packets-lt 5 --bytes-lt 10', '='],
    ['--match-set foo src --packets-lt 5 --packets-gt 10', 'refused'],
    ['--match-set foo src ! --packets-lt 5', 'refused'],
    ['--match-set foo src --packets-eq 18446744073709551615', '='],
    ['--match-set foo src --packets-eq 18446744073709551616', 'refused'],
    ['--match-set foo src ! --return-nomatch', 'refused'],
    ['--match-set foo src --match-set bar src,dst', 'refused'],
    ['--return-nomatch --match-set foo src --bytes-eq 0', '--match-set foo src --return-nomatch --bytes-eq 0'],
    [
      '--return-nomatch --match-set foo src --bytes-eq 0 ! --update-subcounters --packets-gt 0',
      '--match-set foo src --return-nomatch ! --update-subcounters --packets-gt 0 --bytes-eq 0',
    ],
    ['--match-set foo1234567890123456789012345678901234567890 src', 'refused'],
    ['--match-set six src', '=', { family: 'ipv6' }],
    ['--match-set foo src ! --match-set foo src', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(set, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('asks the kernel', () => {
    const plain = { kind: 'set', name: 'foo', sides: ['src', 'dst'], returnNomatch: false };
    expect(asks(set, '--match-set foo src,dst')).toEqual([plain]);
    expect(asks(set, '! --match-set foo src,dst ! --update-counters')).toEqual([plain]);
    expect(asks(set, '--match-set foo src,dst --return-nomatch ! --packets-eq 5 --bytes-gt 9')).toEqual([
      { ...plain, returnNomatch: true, packets: { how: 'ne', value: 5n }, bytes: { how: 'gt', value: 9n } },
    ]);
    expect(lowers(set, '--match-set foo src')).toEqual(['require asked.0 & 0x1 = 1']);
    expect(lowers(set, '! --match-set foo src')).toEqual(['require asked.0 & 0x1 = 0']);
  });

  it('leaves sets to the kernel that a match changes', () => {
    const sets = new Map([
      ['plain', { type: 'hash:ip', counters: false, completes: false }],
      ['counting', { type: 'hash:ip', counters: true, completes: false }],
      ['macs', { type: 'bitmap:ip,mac', counters: false, completes: true }],
    ]);
    const context = { objects: { sets, programs: new Map() } };
    const first = (text: string): string => lowers(set, text, context)[0]?.split(' ')[0] ?? '';
    expect(first('--match-set plain src')).toBe('require');
    expect(first('--match-set counting src')).toBe('staged');
    expect(first('--match-set counting src ! --update-subcounters')).toBe('staged');
    expect(first('--match-set counting src ! --update-counters')).toBe('require');
    expect(first('--match-set counting src ! --update-counters --packets-gt 3')).toBe('staged');
    expect(first('--match-set macs src,src')).toBe('staged');
  });
});
