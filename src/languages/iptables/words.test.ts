import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitWords, utf8Length, wordFrom } from './words.ts';

const texts = (line: string): readonly string[] => splitWords(line, 0, line.length).words.map((word) => word.text);

describe('splitWords', () => {
  it.each([
    ['-A INPUT\t-j  ACCEPT ', ['-A', 'INPUT', '-j', 'ACCEPT']],
    ['--comment "a b"', ['--comment', 'a b']],
    ['--comment ""', ['--comment', '']],
    ['a"b c"', ['ab c']],
    ['"a"b', ['a', 'b']],
    ['"a"" b"', ['a', ' b']],
    ['"a\\"b\\\\c\\d"', ['a"b\\cd']],
    ['a\\ b', ['a\\', 'b']],
    ["'a b'", ["'a", "b'"]],
    ['a\\"b"', ['a\\b']],
    ['x\r', ['x\r']],
    ['', []],
  ])('%j', (line, expected) => {
    expect(texts(line)).toEqual(expected);
  });

  it('names the quote that is never closed', () => {
    expect(splitWords('-m "a b', 0, 7).unclosed).toBe(3);
    expect(splitWords('"a\\"', 0, 4).unclosed).toBe(0);
  });

  it('knows where plain words stand', () => {
    const line = 'skip -s  1.2.3.4,5.6.7.8';
    const [option, value] = splitWords(line, 5, line.length).words;
    expect(option).toMatchObject({ start: 5, end: 7, quoted: false });
    expect(line.slice(value!.start, value!.end)).toBe('1.2.3.4,5.6.7.8');
    expect(wordFrom(value!, 8)).toMatchObject({ text: '5.6.7.8', start: 17 });
  });

  it('reads back what is quoted as iptables-save quotes', () => {
    const property = fc.property(fc.array(fc.string().filter((text) => !text.includes('\n'))), (words) => {
      const line = words.map((word) => `"${word.replace(/["\\']/g, '\\$&')}"`).join(' ');
      expect(texts(line)).toEqual(words);
    });
    fc.assert(property);
  });
});

it('utf8Length counts as TextEncoder does', () => {
  const property = fc.property(fc.string({ unit: 'grapheme' }), (text) => {
    expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
  });
  fc.assert(property);
});
