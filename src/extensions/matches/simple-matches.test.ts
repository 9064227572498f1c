import { describe, expect, it } from 'vitest';
import { lowers, printed } from '../case-runner.ts';
import type { MatchExtension } from '../contract.ts';
import { comment } from './comment.ts';
import { hl } from './hl.ts';
import { iprange } from './iprange.ts';
import { length } from './length.ts';
import { mac } from './mac.ts';
import { mark } from './mark.ts';
import { pkttype } from './pkttype.ts';
import { ttl } from './ttl.ts';

const V6 = { family: 'ipv6' } as const;

describe.each<[MatchExtension, readonly (readonly [string, string])[]]>([
  [
    mark,
    [
      ['--mark 1', '--mark 0x1'],
      ['--mark 010', '--mark 0x8'],
      ['--mark 0x1ff/0xff', '--mark 0x1ff/0xff'],
      ['! --mark 1/0xffffffff', '! --mark 0x1'],
      ['--mark 1/0', '--mark 0x1/0x0'],
      ['--mark 1/', 'refused'],
      ['--mark 1/2/3', 'refused'],
      ['--mark 4294967296', 'refused'],
      ['--mark foo', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    comment,
    [
      ['--comment foo', '--comment foo'],
      ['--comment "a b"', '--comment "a b"'],
      ['--comment ""', '--comment ""'],
      [`--comment ${'x'.repeat(261)}`, `--comment ${'x'.repeat(255)}`],
      ['', 'refused'],
    ],
  ],
  [
    iprange,
    [
      ['--src-range 1.1.1.1', '--src-range 1.1.1.1-1.1.1.1'],
      ['--src-range 1.1.1.10-1.1.1.1', '--src-range 1.1.1.10-1.1.1.1'],
      ['--src-range 1.1-2.2', '--src-range 1.1.0.0-2.2.0.0'],
      [
        '! --dst-range 2.2.2.2-3.3.3.3 --src-range 1.1.1.1-1.1.1.2',
        '--src-range 1.1.1.1-1.1.1.2 ! --dst-range 2.2.2.2-3.3.3.3',
      ],
      ['--src-range ::1-::2', 'refused'],
      ['--src-range localhost', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    length,
    [
      ['--length 1', '--length 1'],
      ['--length :2', '--length 0:2'],
      ['--length 0x10:', '--length 16:65535'],
      ['! --length 0:65535', '! --length 0:65535'],
      ['--length :', '--length 0:65535'],
      ['--length 4:3', 'refused'],
      ['--length 0:65536', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    ttl,
    [
      ['--ttl 5', '--ttl-eq 5'],
      ['! --ttl-eq 0x10', '! --ttl-eq 16'],
      ['--ttl-gt 0', '--ttl-gt 0'],
      ['! --ttl-lt 5', 'refused'],
      ['--ttl-eq 5 --ttl-gt 3', 'refused'],
      ['--ttl-eq 256', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    mac,
    [
      ['--mac-source 4:1:2:3:4:aB', '--mac-source 04:01:02:03:04:ab'],
      ['! --mac-source 42:01:02:03:04:05', '! --mac-source 42:01:02:03:04:05'],
      ['--mac-source 42-01-02-03-04-05', 'refused'],
      ['--mac-source 42:01:02:03:04', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    pkttype,
    [
      ['--pkt-type Unicast', '--pkt-type unicast'],
      ['--pkt-type host', '--pkt-type unicast'],
      ['--pkt-type bcast', '--pkt-type broadcast'],
      ['! --pkt-type mcast', '! --pkt-type multicast'],
      ['--pkt-type otherhost', '--pkt-type otherhost'],
      ['--pkt-type multi', 'refused'],
      ['--pkt-type loopback', 'refused'],
      ['', 'refused'],
    ],
  ],
])('text of $name', (match, cases) => {
  it.each(cases)('%s', (given, expected) => {
    expect(printed(match, given)).toBe(expected);
  });
});

describe('conditions', () => {
  it.each<[MatchExtension, string, readonly string[]]>([
    [mark, '--mark 1/3', ['require meta.mark & 0x3 = 1']],
    [mark, '! --mark 1', ['require meta.mark = 0|2-0xffffffff']],
    [mark, '--mark 5/3', ['require false']],
    [mark, '! --mark 5/3', []],
    [comment, '--comment x', []],
    [iprange, '--src-range 1.1.1.1-1.1.1.2', ['require ip.saddr = 0x1010101-0x1010102']],
    [iprange, '--src-range 1.1.1.2-1.1.1.1', ['require false']],
    [iprange, '! --src-range 1.1.1.2-1.1.1.1', []],
    [
      iprange,
      '! --dst-range 0.0.0.0-1.1.1.1 --src-range 0.0.0.1',
      ['require ip.saddr = 1', 'require ip.daddr = 0x1010102-0xffffffff'],
    ],
    [length, '--length 40:', ['require ip.totalLength = 40-65535']],
    [length, '! --length :', ['require ip.totalLength = 65536-0xffffffff']],
    [ttl, '--ttl-eq 5', ['require ip.ttl = 5']],
    [ttl, '! --ttl-eq 5', ['require ip.ttl = 0-4|6-255']],
    [ttl, '--ttl-lt 5', ['require ip.ttl = 0-4']],
    [ttl, '--ttl-gt 5', ['require ip.ttl = 6-255']],
    [ttl, '--ttl-lt 0', ['require false']],
    [ttl, '--ttl-gt 255', ['require false']],
    [mac, '--mac-source 1:2:3:4:5:6', ['require mac.present = 1', 'require mac.saddr = 0x10203040506']],
    [mac, '! --mac-source ff:ff:ff:ff:ff:ff', ['require mac.present = 1', 'require mac.saddr = 0-0xfffffffffffe']],
    [pkttype, '--pkt-type host', ['require meta.pkttype = 0']],
    [pkttype, '! --pkt-type otherhost', ['require meta.pkttype = 0-2|4-255']],
    [
      pkttype,
      '--pkt-type multicast',
      ['require (meta.pkttype = 2 or (meta.pkttype = 5 and ip.daddr & 0xf0000000 = 0xe0000000))'],
    ],
    [
      pkttype,
      '--pkt-type broadcast',
      ['require (meta.pkttype = 1 or (meta.pkttype = 5 and ip.daddr & 0xf0000000 = 0-0xd0000000|0xf0000000))'],
    ],
  ])('$0.name $1', (match, text, expected) => {
    expect(lowers(match, text)).toEqual(expected);
  });

  it.each<[MatchExtension, string, readonly string[]]>([
    [hl, '--hl 5', ['require ip6.hopLimit = 5']],
    [hl, '--hl-lt 5', ['require ip6.hopLimit = 0-4']],
    [length, '--length 40', ['require meta.length = 40']],
    [iprange, '--src-range ::1-::2', ['require ip6.saddr = 1-2']],
    [pkttype, '--pkt-type multicast', ['require meta.pkttype = 2|5']],
    [pkttype, '--pkt-type broadcast', ['require meta.pkttype = 1']],
  ])('$0.name $1 (IPv6)', (match, text, expected) => {
    expect(lowers(match, text, V6)).toEqual(expected);
  });
});
