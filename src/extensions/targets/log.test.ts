import { describe, expect, it } from 'vitest';
import { lowersTarget, printed } from '../case-runner.ts';
import { log } from './log.ts';
import { nflog } from './nflog.ts';

describe('LOG', () => {
  it.each([
    ['', ''],
    ['--log-prefix abc', '--log-prefix abc'],
    ['--log-prefix "test: "', '--log-prefix "test: "'],
    ['--log-prefix ab:c', '--log-prefix "ab:c"'],
    ['--log-prefix ""', 'refused'],
    ['--log-prefix', 'refused'],
    ['--log-prefix 123456789012345678901234567890', '--log-prefix 12345678901234567890123456789'],
    ['--log-level 4', ''],
    ['--log-level warning', ''],
    ['--log-level alert', '--log-level 1'],
    ['--log-level error', '--log-level 3'],
    ['--log-level panic', '--log-level 0'],
    ['--log-level 0x3', '--log-level 3'],
    ['--log-level err', 'refused'],
    ['--log-level warn', 'refused'],
    ['--log-level INFO', 'refused'],
    ['--log-level 8', 'refused'],
    ['--log-level 4294967297', 'refused'],
    ['! --log-level 3', 'refused'],
    [
      '--log-macdecode --log-uid --log-ip-options --log-tcp-options --log-tcp-sequence --log-level crit --log-prefix x',
      '--log-prefix x --log-level 2 --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode',
    ],
  ])('%s', (given, expected) => {
    expect(printed(log, given)).toBe(expected);
  });

  it('lowers to what the kernel would write', () => {
    expect(lowersTarget(log, '--log-prefix "a b" --log-uid --log-macdecode --log-tcp-sequence')).toEqual({
      kind: 'LOG',
      prefix: 'a b',
      level: 4,
      flags: 0x29,
      group: 0,
      size: 0,
      threshold: 0,
    });
    expect(lowersTarget(log, '--log-level debug --log-tcp-options --log-ip-options')).toMatchObject({
      prefix: '',
      level: 7,
      flags: 0x06,
    });
  });
});

describe('NFLOG', () => {
  it.each([
    ['', ''],
    ['--nflog-group 0', ''],
    ['--nflog-group 5', '--nflog-group 5'],
    ['--nflog-group 65536', 'refused'],
    ['--nflog-size 64 --nflog-group 3', '--nflog-group 3 --nflog-size 64'],
    ['--nflog-size 0', '--nflog-size 0'],
    ['--nflog-range 0', ''],
    ['--nflog-size 64 --nflog-range 32', 'refused'],
    ['--nflog-threshold 1', '--nflog-threshold 1'],
    ['--nflog-threshold 0', ''],
    [
      '--nflog-threshold 5 --nflog-range 64 --nflog-prefix "a b"',
      '--nflog-prefix "a b" --nflog-range 64 --nflog-threshold 5',
    ],
    [`--nflog-prefix ${'x'.repeat(64)}`, `--nflog-prefix ${'x'.repeat(63)}`],
    ['--nflog-prefix ""', 'refused'],
  ])('%s', (given, expected) => {
    expect(printed(nflog, given)).toBe(expected);
  });

  it('lowers to group, size and threshold', () => {
    expect(lowersTarget(nflog, '--nflog-group 5 --nflog-size 64 --nflog-threshold 2 --nflog-prefix p')).toEqual({
      kind: 'NFLOG',
      prefix: 'p',
      level: 0,
      flags: 0,
      group: 5,
      size: 64,
      threshold: 2,
    });
    expect(lowersTarget(nflog, '--nflog-range 64')).toMatchObject({ group: 0, size: 0 });
  });
});
