import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { string } from './string.ts';

describe('string', () => {
  it.each<PrintCase>([
    ['--string test --algo bm --icase', '--string "test" --algo bm --icase'],
    ['--string "a b" --algo kmp --from 5', '='],
    ['--string "a b" --algo kmp --to 5', '='],
    ['--string "a b" --algo kmp --from 5 --to 70000', 'refused'],
    ['--string "a b" --algo kmp --from 5 --to 65535', '--string "a b" --algo kmp --from 5'],
    ['--string "a b" --algo kmp --from 5 --to 3', 'refused'],
    ['--string "a\\"b" --algo kmp', '='],
    ['--string "" --algo kmp', 'refused'],
    ['--hex-string "GET |0d 0a|" --algo kmp', '--hex-string "|474554200d0a|" --algo kmp'],
    ['--hex-string "GET |0D0a|x" --algo kmp', '--hex-string "|474554200d0a78|" --algo kmp'],
    ['--hex-string GET --algo kmp', '--string "GET" --algo kmp'],
    ['--hex-string "" --algo kmp', 'refused'],
    ['--hex-string "|00|" --algo kmp', '='],
    ['--hex-string "|0|" --algo kmp', 'refused'],
    ['--hex-string "|0" --algo kmp', 'refused'],
    ['--hex-string "|zz|" --algo kmp', 'refused'],
    ['--hex-string "|41 42|" --algo kmp', '--string "AB" --algo kmp'],
    ['--hex-string "a\\\\\\\\|b" --algo kmp', 'refused'],
    ['--hex-string "|41|\\"b" --algo kmp', '--string "A\\"b" --algo kmp'],
    ['--hex-string "|7c|" --algo kmp', '--string "|" --algo kmp'],
    ['--hex-string "|22|" --algo kmp', '--string "\\"" --algo kmp'],
    ['--hex-string "|5c|" --algo kmp', '='],
    ['--hex-string "|5c 00|a" --algo kmp', '--hex-string "|5c0061|" --algo kmp'],
    ['--hex-string "|c3a9|" --algo kmp', '='],
    ['--string "é" --algo kmp', '--hex-string "|c3a9|" --algo kmp'],
    ['--string "a|b" --algo kmp', '='],
    ['--string "a\\\\b" --algo kmp', '='],
    ['--string "a\'b" --algo kmp', '='],
    ['--string a --algo fsm', 'refused'],
    ['--string a --algo BM', 'refused'],
    ['--string a --hex-string b --algo bm', 'refused'],
    ['! --hex-string "|0a|" --algo bm', '='],
    ['--string a', 'refused'],
    ['--string a --algo bm --from 0 --to 0', '--string "a" --algo bm --to 0'],
    ['--string a --algo bm --from 65536', 'refused'],
    ['--string a --algo ""', 'refused'],
    ['--string a --algo 0123456789012345', 'refused'],
    ['--hex-string "|20|" --algo bm', '--string " " --algo bm'],
    ['--hex-string "ab|20|cd" --algo bm', '--string "ab cd" --algo bm'],
    ['--hex-string "ab|0 1|cd" --algo bm', 'refused'],
    ['--hex-string "ab|41||42|cd" --algo bm', 'refused'],
    ['--hex-string "ab||cd" --algo bm', 'refused'],
    ['--string "a b " --algo bm', '='],
    ['--hex-string "a\\\\|b" --algo bm', '--string "a|b" --algo bm'],
    ['--hex-string "a|41|\\\\b" --algo bm', '--string "aA\\\\b" --algo bm'],
    ['--hex-string "|41  42|" --algo bm', 'refused'],
    ['--hex-string "| 41 42 |" --algo bm', '--string "AB" --algo bm'],
    ['--hex-string "|41 42 |" --algo bm', '--string "AB" --algo bm'],
    ['--hex-string "x\\\\" --algo bm', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(string, text, context)).toBe(expected === '=' ? text : expected);
  });

  it.each([
    [
      '--string abc --algo bm',
      '{"kind":"text","pattern":"616263","ignoreCase":false,"from":0,"to":65535,"acrossPieces":false}',
    ],
    [
      '--string aBc --algo kmp --icase --from 5',
      '{"kind":"text","pattern":"414243","ignoreCase":true,"from":5,"to":65535,"acrossPieces":true}',
    ],
    [
      '! --string a --algo bm --to 9',
      'not {"kind":"text","pattern":"61","ignoreCase":false,"from":0,"to":9,"acrossPieces":false}',
    ],
    ['--string abc --algo bm --to 2', 'false'],
  ])('%s is run', (text, expected) => {
    expect(lowers(string, text)).toEqual([`require ${expected}`]);
  });

  it('ignores the case of the letters of Latin-1, but not of those that are no pairs', () => {
    const pattern = '"pattern":"41c3c0d8d7f7"';
    expect(lowers(string, '--hex-string "|61e3e0f8d7f7|" --algo bm --icase')[0]).toContain(pattern);
    for (const byte of ['bf', 'df', 'ff'])
      expect(lowers(string, `--hex-string "|41${byte}|" --algo kmp --icase`)[0]).toMatch(/^cannot: /);
  });

  it('cannot miss what does not fit', () => {
    expect(lowers(string, '! --string abc --algo bm --to 2')).toEqual([]);
  });
});
