import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { rt } from './rt.ts';

describe('rt', () => {
  it.each<PrintCase>([
    ['--rt-type 0', '=', { family: 'ipv6' }],
    ['! --rt-type 0 --rt-segsleft 1:2 --rt-len 8', '=', { family: 'ipv6' }],
    ['--rt-segsleft :', '', { family: 'ipv6' }],
    ['! --rt-segsleft 5', '=', { family: 'ipv6' }],
    ['! --rt-len 24', '=', { family: 'ipv6' }],
    ['--rt-len 4294967296', 'refused', { family: 'ipv6' }],
    ['--rt-type 256', '=', { family: 'ipv6' }],
    ['--rt-type 4294967295', '=', { family: 'ipv6' }],
    ['--rt-type 0 --rt-0-res', '=', { family: 'ipv6' }],
    ['--rt-0-res', 'refused', { family: 'ipv6' }],
    ['--rt-type 1 --rt-0-res', 'refused', { family: 'ipv6' }],
    ['! --rt-type 0 --rt-0-res', 'refused', { family: 'ipv6' }],
    ['--rt-type 0 --rt-0-addrs ::1,::2', '=', { family: 'ipv6' }],
    ['--rt-type 0 --rt-0-addrs ::1,::2 --rt-0-not-strict', '=', { family: 'ipv6' }],
    ['--rt-type 0 --rt-0-not-strict', 'refused', { family: 'ipv6' }],
    ['--rt-type 0 --rt-0-not-strict --rt-0-addrs ::1', 'refused', { family: 'ipv6' }],
    ['--rt-0-addrs ::1 --rt-type 0', 'refused', { family: 'ipv6' }],
    ['--rt-type 0 ! --rt-0-addrs ::1', 'refused', { family: 'ipv6' }],
    ['--rt-type 0 --rt-0-addrs foo', 'refused', { family: 'ipv6' }],
    [
      '--rt-type 0 --rt-0-addrs ::1,::2,::3,::4,::5,::6,::7,::8,::9,::a,::b,::c,::d,::e,::f,::10',
      '=',
      { family: 'ipv6' },
    ],
    [
      '--rt-type 0 --rt-0-addrs ::1,::2,::3,::4,::5,::6,::7,::8,::9,::a,::b,::c,::d,::e,::f,::10,::11',
      'refused',
      { family: 'ipv6' },
    ],
    ['', '', { family: 'ipv6' }],
    [
      '--rt-type 0 --rt-0-res --rt-0-addrs ::1 --rt-0-not-strict --rt-segsleft 0 --rt-len 0',
      '--rt-type 0 --rt-segsleft 0 --rt-len 0 --rt-0-res --rt-0-addrs ::1 --rt-0-not-strict',
      { family: 'ipv6' },
    ],
    ['--rt-type 0 --rt-0-addrs ""', 'refused', { family: 'ipv6' }],
    ['--rt-type 0 --rt-0-addrs ::1/64', 'refused', { family: 'ipv6' }],
    ['--rt-type 0x0', '--rt-type 0', { family: 'ipv6' }],
    ['! --rt-segsleft :', '! --rt-segsleft 0:4294967295', { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(printed(rt, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('looks for its header', () => {
    const [has, evil, yes] = lowers(rt, '--rt-type 0 ! --rt-len 24 --rt-0-addrs fd00::1', { family: 'ipv6' });
    expect(has).toBe('require network[6:8] = 0|43-44|51|60');
    expect(evil).toBe(`hotdrop evil ${yes?.slice('require '.length)}`);
    expect(JSON.parse(yes?.slice('require '.length) ?? '')).toEqual({
      kind: 'extensionHeader',
      header: 43,
      least: 4,
      unreadable: 'evil',
      cut: 'evil',
      tests: [
        {
          offset: 1,
          size: 1,
          ranges: [
            { min: 0, max: 1 },
            { min: 3, max: 255 },
          ],
        },
        { offset: 2, size: 1, ranges: [{ min: 0, max: 0 }] },
      ],
      rest: { kind: 'addresses', addresses: ['fd000000000000000000000000000001'], strict: true },
    });
  });
});
