import { describe, expect, it } from 'vitest';
import { type CaseContext, lowersTarget, printed } from '../case-runner.ts';
import type { TargetExtension } from '../contract.ts';
import { dnat } from './dnat.ts';
import { masquerade } from './masquerade.ts';
import { netmap } from './netmap.ts';
import { redirect } from './redirect.ts';
import { snat } from './snat.ts';

const TCP: CaseContext = { table: 'nat', protocol: 6 };
const ANY: CaseContext = { table: 'nat' };
const V6: CaseContext = { table: 'nat', family: 'ipv6', protocol: 6 };

type Case = readonly [text: string, expected: string, context?: CaseContext];

describe.each<[TargetExtension, readonly Case[]]>([
  [
    dnat,
    [
      ['--to-destination 1.1.1.1', '='],
      ['--to-destination 1.1.1.1-1.1.1.10', '='],
      ['--to-destination 1.1.1.1-1.1.1.1', '--to-destination 1.1.1.1'],
      ['--to-destination 1.1.1.5-1.1.1.1', '='],
      ['--to-destination 1.1.1.1:1025-65535', '='],
      ['--to-destination 1.1.1.1-1.1.1.10:1025-65535', '='],
      ['--to-destination :80', '='],
      ['--to-destination :80-90/5', '='],
      ['--to-destination 1.1.1.1:0', '='],
      ['--to-destination 1.1.1.1:80-80', '--to-destination 1.1.1.1:80'],
      ['--to-destination 1.1.1.1:ftp-data', '--to-destination 1.1.1.1:20'],
      ['--to-destination 1.1.1.1:0x50', '--to-destination 1.1.1.1:80'],
      ['--to-destination 1.1.1.1:10-20/ftp', '--to-destination 1.1.1.1:10-20/21'],
      [
        '--to-destination 1.1.1.1:1000-2000/1000 --persistent --random',
        '--to-destination 1.1.1.1:1000-2000/1000 --random --persistent',
      ],
      ['--to-destination 1.1.1.1:1000-2000/0', 'refused'],
      ['--to-destination 1.1.1.1:1000-2000/65536', 'refused'],
      ['--to-destination 1.1.1.1:1025-65536', 'refused'],
      ['--to-destination 1.1.1.1:90-80', 'refused'],
      ['--to-destination 1.1.1.1:echo-ssh', 'refused'],
      ['--to-destination 1.1.1.1:http-90', 'refused'],
      ['--to-destination 1.1.1.1:080', 'refused'],
      ['--to-destination 1.1.1.1:80/90', 'refused'],
      ['--to-destination 1.1.1.1:80:90', 'refused'],
      ['--to-destination 1.1.1.1:', 'refused'],
      ['--to-destination 1.1.1.1-', 'refused'],
      ['--to-destination ""', 'refused'],
      ['--to-destination :', 'refused'],
      ['--to-destination 1.1', 'refused'],
      ['--to-destination 01.1.1.1', 'refused'],
      ['--to-destination localhost', 'refused'],
      ['--to-destination 1.1.1.1 --to-destination 2.2.2.2', 'refused'],
      ['--to-destination 1.1.1.1:80', 'refused', ANY],
      ['--to-destination 1.1.1.1:80', 'refused', { ...ANY, protocol: 136 }],
      ['--to-destination 1.1.1.1:80', '=', { ...ANY, protocol: 1 }],
      ['--to-destination 1.1.1.1', '=', ANY],
      ['', 'refused'],
      ['--to-destination 2001:db8::1', '=', V6],
      ['--to-destination [2001:db8::1]', '--to-destination 2001:db8::1', V6],
      ['--to-destination [2001:db8::1]:80', '=', V6],
      ['--to-destination [2001:db8::1-2001:db8::5]:80-90/100', '=', V6],
      ['--to-destination []:80', '--to-destination :80', V6],
      ['--to-destination 2001:db8::1:80', '=', { ...V6, protocol: 17 }],
      ['--to-destination [2001:db8::1', 'refused', V6],
      ['--to-destination [2001:db8::1]-[2001:db8::5]:80', 'refused', V6],
      ['--to-destination 1.1.1.1', 'refused', V6],
      ['--to-destination [2001:db8::1]:80', 'refused', { table: 'nat', family: 'ipv6' }],
    ],
  ],
  [
    snat,
    [
      [
        '--to-source 1.1.1.1 --random-fully --persistent --random',
        '--to-source 1.1.1.1 --random --random-fully --persistent',
      ],
      ['--to-source 1.1.1.1-1.1.1.10:1025-65535', '='],
      ['--to-source 1.1.1.1:80-90/100', 'refused'],
      ['--to-source [2001:db8::1]:80-90', '=', V6],
      ['', 'refused'],
    ],
  ],
  [
    masquerade,
    [
      ['', '='],
      ['--to-ports 1024-65535 --random-fully --random', '--to-ports 1024-65535 --random --random-fully'],
      ['--to-ports http', '--to-ports 80'],
      ['--to-ports 0-0', '--to-ports 0'],
      ['--to-ports http-https', 'refused'],
      ['--to-ports 1024-65536', 'refused'],
      ['--to-ports -1', 'refused'],
      ['--to-ports 80', 'refused', ANY],
      ['--persistent', 'refused'],
    ],
  ],
  [
    redirect,
    [
      ['', '=', ANY],
      ['--random', '=', ANY],
      ['--to-ports 80-90 --random', '='],
      ['--to-ports ftp-data', '--to-ports 20'],
      ['--to-ports 80:90', 'refused'],
      ['--to-ports 80-', 'refused'],
      ['--to-ports 80-90/100', 'refused'],
      ['--to-ports 80', 'refused', ANY],
    ],
  ],
  [
    netmap,
    [
      ['--to 1.2.3.0/24', '=', ANY],
      ['--to 1.2.3.4', '--to 1.2.3.4/32', ANY],
      ['--to 1.2.3.4/255.255.255.0', '--to 1.2.3.0/24', ANY],
      ['--to 0/0', '--to 0.0.0.0/0', ANY],
      ['--to 1.2.3.4/255.0.255.0', 'refused', ANY],
      ['--to 1.2.3.4/33', 'refused', ANY],
      ['--to foo', 'refused', ANY],
      ['--to 2001:db8::5/64', '--to 2001:db8::/64', V6],
      ['', 'refused', ANY],
    ],
  ],
])('$name', (target, cases) => {
  const rows = cases.map(([text, expected, context = TCP]) => ({ text, expected, context }));

  it.each(rows)('$text', ({ text, expected, context }) => {
    expect(printed(target, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('stays with the kernel', () => {
    expect(target.lower).toBeUndefined();
  });
});

it('a target without a data path says so', () => {
  expect(lowersTarget(redirect, '', TCP)).toBe('kernel only');
});
