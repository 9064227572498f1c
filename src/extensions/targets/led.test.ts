import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { led } from './led.ts';

describe('LED', () => {
  it.each<PrintCase>([
    ['', 'refused'],
    ['--led-trigger-id foo', '--led-trigger-id "foo"'],
    [
      '--led-trigger-id foo --led-delay 42 --led-always-blink',
      '--led-trigger-id "foo" --led-delay 42 --led-always-blink',
    ],
    ['--led-trigger-id foo --led-delay inf', '--led-trigger-id "foo" --led-delay inf'],
    ['--led-trigger-id foo --led-delay 0', '--led-trigger-id "foo"'],
    ['--led-trigger-id 0123456789abcdefg', 'refused'],
    ['--led-trigger-id foo --led-delay -1', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(led, text, context)).toBe(expected === '=' ? text : expected);
  });
});
