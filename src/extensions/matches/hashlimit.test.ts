import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { hashlimit } from './hashlimit.ts';

describe('hashlimit', () => {
  it.each<PrintCase>([
    ['--hashlimit-name a1 --hashlimit 5/sec', '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a1'],
    [
      '--hashlimit-name a3 --hashlimit-upto 5/sec --hashlimit-mode srcip,dstip,srcport,dstport',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip,srcport,dstip,dstport --hashlimit-name a3',
    ],
    [
      '--hashlimit-name a4 --hashlimit-upto 5/sec --hashlimit-mode dstport,srcip',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip,dstport --hashlimit-name a4',
    ],
    ['--hashlimit-name a4a --hashlimit-upto 5/sec --hashlimit-mode none', 'refused'],
    ['--hashlimit-name a4c --hashlimit-upto 5/sec --hashlimit-mode SRCIP', 'refused'],
    ['--hashlimit-name a6 ! --hashlimit-upto 5/sec', '--hashlimit-above 5/sec --hashlimit-burst 5 --hashlimit-name a6'],
    [
      '--hashlimit-name a10 --hashlimit-upto 1/hour --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-srcmask 24',
      '--hashlimit-upto 1/hour --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-name a10 --hashlimit-srcmask 24',
    ],
    [
      '--hashlimit-name a11 --hashlimit-upto 1/day --hashlimit-htable-size 1000 --hashlimit-htable-max 2000 --hashlimit-htable-expire 30000 --hashlimit-htable-gcinterval 500',
      'refused',
    ],
    ['--hashlimit-name a12 --hashlimit-upto 1/day --hashlimit-htable-expire 86400000', 'refused'],
    [
      '--hashlimit-name a14 --hashlimit-upto 1/min --hashlimit-htable-expire 60000 --hashlimit-htable-gcinterval 1000',
      '--hashlimit-upto 1/min --hashlimit-burst 5 --hashlimit-name a14',
    ],
    [
      '--hashlimit-name a14b --hashlimit-upto 10/min --hashlimit-htable-expire 60000 --hashlimit-htable-gcinterval 1000',
      '--hashlimit-upto 10/min --hashlimit-burst 5 --hashlimit-name a14b',
    ],
    [
      '--hashlimit-name a15b --hashlimit-upto 1/sec --hashlimit-htable-expire 1000',
      '--hashlimit-upto 1/sec --hashlimit-burst 5 --hashlimit-name a15b',
    ],
    ['--hashlimit-name a18 --hashlimit-upto 1000001/sec', 'refused'],
    ['--hashlimit-name a19 --hashlimit-upto 3/sec', '--hashlimit-upto 3/sec --hashlimit-burst 5 --hashlimit-name a19'],
    ['--hashlimit-name a20 --hashlimit-upto 7/min', '--hashlimit-upto 7/min --hashlimit-burst 5 --hashlimit-name a20'],
    [
      '--hashlimit-name a20h --hashlimit-upto 24/day',
      '--hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-name a20h --hashlimit-htable-expire 86400000',
    ],
    [
      '--hashlimit-name a20i --hashlimit-upto 333333/sec',
      '--hashlimit-upto 333333/sec --hashlimit-burst 5 --hashlimit-name a20i',
    ],
    ['--hashlimit-name a20n --hashlimit-upto 0/sec', 'refused'],
    ['--hashlimit-name a20o --hashlimit-upto x/sec', 'refused'],
    [
      '--hashlimit-name a20p --hashlimit-upto 5.5/sec',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a20p',
    ],
    ['--hashlimit-name a20q --hashlimit-upto 0x5/sec', 'refused'],
    [
      '--hashlimit-name a21 --hashlimit-above 512kb/s --hashlimit-burst 1mb --hashlimit-mode srcip',
      '--hashlimit-above 512kb/s --hashlimit-burst 1mb --hashlimit-mode srcip --hashlimit-name a21',
    ],
    ['--hashlimit-name a22 --hashlimit-upto 1mb/s', '--hashlimit-upto 1mb/s --hashlimit-name a22'],
    ['--hashlimit-name a23 --hashlimit-upto 1b/s --hashlimit-burst 5', 'refused'],
    ['--hashlimit-name a23a --hashlimit-upto 17b/s', '--hashlimit-upto 16b/s --hashlimit-name a23a'],
    ['--hashlimit-name a23d --hashlimit-upto 512kb/s --hashlimit-burst 100', 'refused'],
    [
      '--hashlimit-name a23f --hashlimit-upto 512kb/s --hashlimit-burst 600kb',
      '--hashlimit-upto 512kb/s --hashlimit-burst 1mb --hashlimit-name a23f',
    ],
    [
      '--hashlimit-name a23i --hashlimit-upto 512kb',
      '--hashlimit-upto 512/sec --hashlimit-burst 5 --hashlimit-name a23i',
    ],
    ['--hashlimit-name a23j --hashlimit-upto 5000mb/s', '--hashlimit-upto 5286113568b/s --hashlimit-name a23j'],
    [
      '--hashlimit-name a23m --hashlimit-upto 512kb/s --hashlimit-htable-expire 60000',
      '--hashlimit-upto 512kb/s --hashlimit-name a23m --hashlimit-htable-expire 60000',
    ],
    [
      '--hashlimit-name a24 --hashlimit-upto 5/sec --hashlimit-burst 5kb',
      '--hashlimit-upto 5/sec --hashlimit-burst 5120 --hashlimit-name a24',
    ],
    ['--hashlimit-name a24a --hashlimit-upto 5/sec --hashlimit-burst 0', 'refused'],
    [
      '--hashlimit-name a24b --hashlimit-upto 5/sec --hashlimit-burst 1000000',
      '--hashlimit-upto 5/sec --hashlimit-burst 1000000 --hashlimit-name a24b',
    ],
    ['--hashlimit-name a24c --hashlimit-upto 5/sec --hashlimit-burst 1000001', 'refused'],
    ['--hashlimit-name a24d --hashlimit-burst 3 --hashlimit-upto 512kb/s', 'refused'],
    [
      '--hashlimit-name a25 --hashlimit-upto 5/sec --hashlimit-rate-match --hashlimit-rate-interval 1',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a25 --hashlimit-rate-match',
    ],
    [
      '--hashlimit-name a25a --hashlimit-upto 5/sec --hashlimit-rate-match',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a25a --hashlimit-rate-match',
    ],
    [
      '--hashlimit-name a25c --hashlimit-upto 5/sec --hashlimit-rate-match --hashlimit-rate-interval 10',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a25c --hashlimit-rate-match --hashlimit-rate-interval 10',
    ],
    [
      '--hashlimit-name a25d --hashlimit-upto 512kb/s --hashlimit-rate-match --hashlimit-rate-interval 10',
      '--hashlimit-upto 512kb/s --hashlimit-name a25d --hashlimit-rate-match --hashlimit-rate-interval 10',
    ],
    [
      '--hashlimit-name a25e --hashlimit-upto 5/sec --hashlimit-rate-match --hashlimit-burst 10',
      '--hashlimit-upto 5/sec --hashlimit-burst 10 --hashlimit-name a25e --hashlimit-rate-match',
    ],
    [
      '--hashlimit-name a25f --hashlimit-upto 5/min --hashlimit-rate-match --hashlimit-rate-interval 60',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a25f --hashlimit-htable-expire 60000 --hashlimit-rate-match --hashlimit-rate-interval 60',
    ],
    [
      '--hashlimit-name a26 --hashlimit-upto 5/sec --hashlimit-htable-size 0',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a26',
    ],
    ['--hashlimit-name a26b --hashlimit-upto 5/sec --hashlimit-htable-expire 0', 'refused'],
    ['--hashlimit-name a26c --hashlimit-upto 5/sec --hashlimit-htable-gcinterval 0', 'refused'],
    [
      '--hashlimit-name a27 --hashlimit-upto 5/sec --hashlimit-srcmask 0 --hashlimit-dstmask 32 --hashlimit-mode srcip,dstip',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip,dstip --hashlimit-name a27 --hashlimit-srcmask 0',
    ],
    ['--hashlimit-name a27a --hashlimit-upto 5/sec --hashlimit-srcmask 33', 'refused'],
    ['--hashlimit-upto 5/sec', 'refused'],
    ['--hashlimit-name a28', 'refused'],
    ['--hashlimit-name a/b --hashlimit-upto 5/sec', 'refused'],
    ['--hashlimit-name "" --hashlimit-upto 5/sec', 'refused'],
    [
      '--hashlimit-name 012345678901234 --hashlimit-upto 5/sec',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name 012345678901234',
    ],
    [
      '--hashlimit-name 0123456789012345678 --hashlimit-upto 5/sec',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name 0123456789012345678',
    ],
    ['--hashlimit-name a29 --hashlimit-upto 5/sec --hashlimit-above 6/sec', 'refused'],
    ['--hashlimit-name ../x --hashlimit-upto 5/sec', 'refused'],
    ['--hashlimit-name . --hashlimit-upto 5/sec', 'refused'],
    [
      '--hashlimit-name b1 --hashlimit-upto 5/sec --hashlimit-srcmask 64 --hashlimit-mode srcip',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name b1 --hashlimit-srcmask 64',
      { family: 'ipv6' },
    ],
    [
      '--hashlimit-name c1 --hashlimit-upto 5/sec --hashlimit-htable-size 1000 --hashlimit-htable-max 2000 --hashlimit-htable-expire 30000 --hashlimit-htable-gcinterval 500',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name c1 --hashlimit-htable-size 1000 --hashlimit-htable-max 2000 --hashlimit-htable-gcinterval 500 --hashlimit-htable-expire 30000',
    ],
    ['--hashlimit-name c3 --hashlimit-upto 1025kb/s', '--hashlimit-upto 1025kb/s --hashlimit-name c3'],
    [
      '--hashlimit-name c4 --hashlimit-upto 5/min --hashlimit-rate-match',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name c4 --hashlimit-htable-expire 60000 --hashlimit-rate-match --hashlimit-rate-interval 60',
    ],
    [
      '--hashlimit-name c5a --hashlimit-upto 120/hour --hashlimit-rate-match --hashlimit-rate-interval 7',
      '--hashlimit-upto 120/sec --hashlimit-burst 5 --hashlimit-name c5a --hashlimit-htable-expire 3600000 --hashlimit-rate-match --hashlimit-rate-interval 7',
    ],
    [
      '--hashlimit-name c5b --hashlimit-upto 7/day --hashlimit-rate-match --hashlimit-rate-interval 7 --hashlimit-htable-expire 3000',
      '--hashlimit-upto 7/sec --hashlimit-burst 5 --hashlimit-name c5b --hashlimit-htable-expire 3000 --hashlimit-rate-match --hashlimit-rate-interval 7',
    ],
    [
      '--hashlimit-name c5c --hashlimit-upto 700001/sec --hashlimit-rate-match',
      '--hashlimit-upto 1000000/sec --hashlimit-burst 5 --hashlimit-name c5c --hashlimit-rate-match',
    ],
    ['--hashlimit-name c6 --hashlimit-upto 5/sec --hashlimit-rate-match --hashlimit-rate-interval 0', 'refused'],
    [
      '--hashlimit-name c7 --hashlimit-upto 5/sec --hashlimit-rate-match --hashlimit-rate-interval 4294967296',
      'refused',
    ],
    [
      '--hashlimit-name c11 --hashlimit-upto 5/sec --hashlimit-burst 5b',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name c11',
    ],
    [
      '--hashlimit-name c12 --hashlimit-upto 5/sec --hashlimit-burst 0x10',
      '--hashlimit-upto 5/sec --hashlimit-burst 16 --hashlimit-name c12',
    ],
    [
      '--hashlimit-name c14 --hashlimit-upto 512kb/s --hashlimit-burst 4000mb',
      '--hashlimit-upto 512kb/s --hashlimit-burst 4000mb --hashlimit-name c14',
    ],
    [
      '--hashlimit-name c15 --hashlimit-upto 512kb/s --hashlimit-burst 1000001b',
      '--hashlimit-upto 512kb/s --hashlimit-burst 1mb --hashlimit-name c15',
    ],
    ['--hashlimit-name c17 --hashlimit-upto 512kb/s --hashlimit-burst 1048577', 'refused'],
    [
      '--hashlimit-name c18 --hashlimit-upto 1mb/s --hashlimit-burst 3mb',
      '--hashlimit-upto 1mb/s --hashlimit-burst 3mb --hashlimit-name c18',
    ],
    ['--hashlimit-name c19 --hashlimit-upto 5/sec --hashlimit-burst 5000mb', 'refused'],
    [
      '--hashlimit-name c20 --hashlimit-upto 100b/s --hashlimit-burst 1kb',
      '--hashlimit-upto 96b/s --hashlimit-burst 1kb --hashlimit-name c20',
    ],
    [
      '--hashlimit-name c21 --hashlimit-upto 96b/s --hashlimit-burst 960',
      '--hashlimit-upto 96b/s --hashlimit-burst 960b --hashlimit-name c21',
    ],
    [
      '--hashlimit-name c22 --hashlimit-upto 5/sec --hashlimit-htable-expire 1000',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name c22',
    ],
    [
      '--hashlimit-name c24 --hashlimit-upto 2/day --hashlimit-burst 2',
      '--hashlimit-upto 2/day --hashlimit-burst 2 --hashlimit-name c24',
    ],
    ['--hashlimit-name c25 --hashlimit-upto 1/day --hashlimit-burst 2', 'refused'],
    [
      '--hashlimit-name c27 --hashlimit-upto 1/hour --hashlimit-burst 2000',
      '--hashlimit-upto 1/hour --hashlimit-burst 2000 --hashlimit-name c27',
    ],
    [
      '--hashlimit-name c28 --hashlimit-upto 5/sec --hashlimit-burst 1000000',
      '--hashlimit-upto 5/sec --hashlimit-burst 1000000 --hashlimit-name c28',
    ],
    [
      '--hashlimit-name c29 --hashlimit-upto 512kb/s --hashlimit-htable-expire 1000',
      '--hashlimit-upto 512kb/s --hashlimit-name c29 --hashlimit-htable-expire 1000',
    ],
    [
      '--hashlimit-name c32 --hashlimit-upto 5/sec --hashlimit-htable-size 4294967295',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name c32 --hashlimit-htable-size 1048576',
    ],
    ['--hashlimit-name c33 --hashlimit-upto 5/sec --hashlimit-htable-size 4294967296', 'refused'],
    [
      '--hashlimit-name c36 --hashlimit-upto 512kb/s --hashlimit-rate-match --hashlimit-burst 1mb',
      '--hashlimit-upto 512kb/s --hashlimit-burst 1mb --hashlimit-name c36 --hashlimit-rate-match',
    ],
    ['--hashlimit-name c37 --hashlimit-upto 0b/s', 'refused'],
    ['--hashlimit-name c39 --hashlimit-upto 5/mins', 'refused'],
    ['--hashlimit-name c43 --hashlimit-upto 99999999mb/s', 'refused'],
    [
      '--hashlimit-name d1 --hashlimit-upto 5/sec --hashlimit-srcmask 8 --hashlimit-dstmask 9 --hashlimit-rate-match --hashlimit-rate-interval 3 --hashlimit-htable-expire 3 --hashlimit-mode srcip',
      '--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name d1 --hashlimit-htable-expire 3 --hashlimit-srcmask 8 --hashlimit-dstmask 9 --hashlimit-rate-match --hashlimit-rate-interval 3',
    ],
    [
      '--hashlimit-name x --hashlimit-upto 512kb/s --hashlimit-burst 1500000b',
      '--hashlimit-upto 512kb/s --hashlimit-burst 1536kb --hashlimit-name x',
    ],
    ['--hashlimit-name x --hashlimit-upto 4gb/s', 'refused'],
    ['--hashlimit-name x --hashlimit-upto 2b/s', 'refused'],
  ])('%s', (text, expected, context) => {
    expect(printed(hashlimit, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('hashlimit as a program', () => {
  const table = (text: string, context: CaseContext = {}): unknown => {
    const found = lowers(hashlimit, `--hashlimit-name n ${text}`, context).at(-1) ?? '';
    return JSON.parse(/\{.*\}$/.exec(found)?.[0] ?? '{}');
  };

  it('has a table as the rule describes it', () => {
    expect(
      table('--hashlimit-upto 10/sec --hashlimit-burst 20 --hashlimit-mode srcip --hashlimit-srcmask 8'),
    ).toMatchObject({
      source: true,
      destination: false,
      sourceMask: 8,
      bytes: false,
      average: 100_000,
      burst: 20,
      expire: 1000,
      collect: 1000,
      size: 0,
      max: 0,
    });
    expect(table('--hashlimit-above 1kb/s')).toMatchObject({ bytes: true, burst: 0, expire: 15_000 });
    expect(table('--hashlimit-above 1kb/s --hashlimit-burst 3kb')).toMatchObject({ burst: 3, expire: 60_000 });
  });

  it('asks for ports only where the protocol is known', () => {
    const text = '--hashlimit-name n --hashlimit-upto 1/sec --hashlimit-mode dstport';
    expect(lowers(hashlimit, text)).toEqual([
      'cannot: which bytes are ports depends on the protocol: give one with -p',
    ]);
    expect(lowers(hashlimit, text, { protocol: 17 })).toEqual([
      'hotdrop transport.length = 0-3',
      expect.stringContaining('hashlimit n with ports'),
    ]);
    expect(lowers(hashlimit, text, { protocol: 1 })).toEqual([expect.stringMatching(/^hashlimit n \{/)]);
    expect(lowers(hashlimit, text, { protocol: 51 })).toEqual([expect.stringMatching(/^cannot/)]);
    expect(lowers(hashlimit, text.replace('upto', 'above'), { protocol: 1 })).toEqual([
      expect.stringMatching(/^not hashlimit/),
    ]);
  });

  it('refuses tables that would fill the memory', () => {
    expect(lowers(hashlimit, '--hashlimit-name n --hashlimit-upto 1/sec --hashlimit-htable-max 9000000')).toEqual([
      expect.stringMatching(/^cannot/),
    ]);
  });
});
