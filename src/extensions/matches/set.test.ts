import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
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
});
