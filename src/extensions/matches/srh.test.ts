import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { srh } from './srh.ts';

describe('srh', () => {
  it.each<PrintCase>([
    ['--srh-next-hdr 17', '=', { family: 'ipv6' }],
    ['! --srh-next-hdr udp', 'refused', { family: 'ipv6' }],
    ['--srh-next-hdr 256', 'refused', { family: 'ipv6' }],
    [
      '--srh-hdr-len-eq 8 --srh-hdr-len-gt 3 --srh-hdr-len-lt 9',
      '--srh-hdr-len-eq 9 --srh-hdr-len-gt 9 --srh-hdr-len-lt 9',
      { family: 'ipv6' },
    ],
    ['--srh-hdr-len-eq 256', 'refused', { family: 'ipv6' }],
    ['--srh-segs-left-eq 1 --srh-last-entry-eq 4 --srh-tag 0', '=', { family: 'ipv6' }],
    ['! --srh-segs-left-gt 1 ! --srh-last-entry-lt 4 ! --srh-tag 65535', '=', { family: 'ipv6' }],
    [
      '--srh-psid a::/64 --srh-nsid b:: --srh-lsid c::1/128',
      '--srh-psid a::/64 --srh-nsid b::/128 --srh-lsid c::1/128',
      { family: 'ipv6' },
    ],
    ['! --srh-psid a::5/64', '=', { family: 'ipv6' }],
    ['--srh-tag 65536', 'refused', { family: 'ipv6' }],
    ['', '', { family: 'ipv6' }],
    ['--srh-psid a::/ffff::', '--srh-psid a::/16', { family: 'ipv6' }],
    ['--srh-psid ::/0', '=', { family: 'ipv6' }],
    [
      '--srh-lsid c::1/64 --srh-tag 5 --srh-next-hdr 6',
      '--srh-next-hdr 6 --srh-tag 5 --srh-lsid c::1/64',
      { family: 'ipv6' },
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(srh, text, context)).toBe(expected === '=' ? text : expected);
  });
});
