import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { hmark } from './hmark.ts';

describe('HMARK', () => {
  it.each<PrintCase>([
    [
      '--hmark-tuple src,dst --hmark-mod 10 --hmark-rnd 5',
      '--hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-rnd 0x00000005 --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-tuple src,dst,sport,dport,proto --hmark-mod 10 --hmark-offset 100 --hmark-rnd 0xfeed',
      '--hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-sport-mask 0xffff --hmark-dport-mask 0xffff --hmark-proto-mask 0xffff --hmark-rnd 0x0000feed --hmark-mod 10 --hmark-offset 100',
      { table: 'mangle' },
    ],
    [
      '--hmark-tuple src,spi --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-src-prefix 32 --hmark-spi-mask 0xffffffff --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    ['--hmark-tuple spi,sport --hmark-mod 10 --hmark-rnd 0xfeed', 'refused', { table: 'mangle' }],
    [
      '--hmark-tuple ct --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-rnd 0x0000feed --hmark-mod 10 --hmark-tuple ct',
      { table: 'mangle' },
    ],
    [
      '--hmark-tuple ct,src --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-src-prefix 32 --hmark-rnd 0x0000feed --hmark-mod 10 --hmark-tuple ct',
      { table: 'mangle' },
    ],
    ['--hmark-tuple foo --hmark-mod 10 --hmark-rnd 0xfeed', 'refused', { table: 'mangle' }],
    [
      '--hmark-src-prefix 24 --hmark-dst-prefix 255.255.0.0 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-src-prefix 24 --hmark-dst-prefix 16 --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-src-prefix 32 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-src-prefix 32 --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-sport-mask 0xffff --hmark-dport-mask 0xff00 --hmark-proto-mask 0xff --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-sport-mask 0xffff --hmark-dport-mask 0xff00 --hmark-proto-mask 0xff --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-sport 0x50 --hmark-dport 22 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-sport 0x0050 --hmark-dport 0x0016 --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-spi-mask 0xff000000 --hmark-spi 5 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-spi-mask 0xff000000 --hmark-spi 0x00000005 --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-spi-mask 0xff000000 --hmark-sport-mask 5 --hmark-mod 10 --hmark-rnd 0xfeed',
      'refused',
      { table: 'mangle' },
    ],
    [
      '--hmark-proto-mask 0xff --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-proto-mask 0xff --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    ['--hmark-tuple src --hmark-mod 10', 'refused', { table: 'mangle' }],
    ['--hmark-tuple src --hmark-rnd 5', 'refused', { table: 'mangle' }],
    ['--hmark-mod 10 --hmark-rnd 5', 'refused', { table: 'mangle' }],
    ['--hmark-tuple src --hmark-mod 0 --hmark-rnd 5', 'refused', { table: 'mangle' }],
    [
      '--hmark-tuple src --hmark-mod 1 --hmark-rnd 5',
      '--hmark-src-prefix 32 --hmark-rnd 0x00000005 --hmark-mod 1',
      { table: 'mangle' },
    ],
    ['--hmark-tuple src --hmark-src-prefix 24 --hmark-mod 10 --hmark-rnd 5', 'refused', { table: 'mangle' }],
    ['--hmark-tuple "" --hmark-mod 10 --hmark-rnd 5', 'refused', { table: 'mangle' }],
    [
      '--hmark-tuple spi,proto --hmark-mod 10 --hmark-rnd 5',
      '--hmark-spi-mask 0xffffffff --hmark-proto-mask 0xffff --hmark-rnd 0x00000005 --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-tuple proto --hmark-mod 10 --hmark-rnd 5',
      '--hmark-proto-mask 0xffff --hmark-rnd 0x00000005 --hmark-mod 10',
      { table: 'mangle' },
    ],
    ['--hmark-tuple src --hmark-mod 10 --hmark-rnd 5', '--hmark-src-prefix 32 --hmark-rnd 0x00000005 --hmark-mod 10'],
    [
      '--hmark-src-prefix 64 --hmark-mod 10 --hmark-rnd 5',
      '--hmark-src-prefix 64 --hmark-rnd 0x00000005 --hmark-mod 10',
      { family: 'ipv6', table: 'mangle' },
    ],
    [
      '--hmark-tuple src,dst,ct --hmark-mod 4294967295 --hmark-rnd 5 --hmark-offset 0',
      '--hmark-src-prefix 128 --hmark-dst-prefix 128 --hmark-rnd 0x00000005 --hmark-mod 4294967295 --hmark-offset 0 --hmark-tuple ct',
      { family: 'ipv6', table: 'mangle' },
    ],
    ['--hmark-sport-mask 0x10000 --hmark-mod 10 --hmark-rnd 0xfeed', 'refused', { table: 'mangle' }],
    ['--hmark-sport http --hmark-mod 10 --hmark-rnd 0xfeed', 'refused', { table: 'mangle' }],
    [
      '--hmark-tuple src,dst,sport,dport --hmark-sport-mask 5 --hmark-mod 10 --hmark-rnd 0xfeed',
      'refused',
      { table: 'mangle' },
    ],
    [
      '--hmark-sport-mask 1 --hmark-dport-mask 2 --hmark-sport 3 --hmark-dport 4 --hmark-src-prefix 5 --hmark-dst-prefix 6 --hmark-proto-mask 7 --hmark-mod 10 --hmark-rnd 0xfeed --hmark-offset 8',
      '--hmark-src-prefix 5 --hmark-dst-prefix 6 --hmark-sport-mask 0x0001 --hmark-dport-mask 0x0002 --hmark-sport 0x0003 --hmark-dport 0x0004 --hmark-proto-mask 0x07 --hmark-rnd 0x0000feed --hmark-mod 10 --hmark-offset 8',
      { table: 'mangle' },
    ],
    [
      '--hmark-spi-mask 1 --hmark-sport 3 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-spi-mask 0x00000001 --hmark-sport 0x0003 --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    ['--hmark-proto-mask 65536 --hmark-src-prefix 5 --hmark-mod 10 --hmark-rnd 0xfeed', 'refused', { table: 'mangle' }],
    [
      '--hmark-proto-mask 65535 --hmark-spi 5 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-spi 0x00000005 --hmark-proto-mask 0xffff --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-proto-mask 256 --hmark-spi 5 --hmark-src-prefix 0 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-src-prefix 0 --hmark-spi 0x00000005 --hmark-proto-mask 0x100 --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-src-prefix 0 --hmark-mod 10 --hmark-rnd 0xfeed',
      '--hmark-src-prefix 0 --hmark-rnd 0x0000feed --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-spi 0 --hmark-sport-mask 0 --hmark-mod 10 --hmark-rnd 0',
      '--hmark-sport-mask 0x0000 --hmark-spi 0x00000000 --hmark-rnd 0x00000000 --hmark-mod 10',
      { table: 'mangle' },
    ],
    [
      '--hmark-rnd 7 --hmark-tuple ct,ct --hmark-mod 10',
      '--hmark-rnd 0x00000007 --hmark-mod 10 --hmark-tuple ct',
      { table: 'mangle' },
    ],
    [
      '--hmark-rnd 7 --hmark-tuple src,src --hmark-mod 10',
      '--hmark-src-prefix 32 --hmark-rnd 0x00000007 --hmark-mod 10',
      { table: 'mangle' },
    ],
    ['--hmark-rnd 7 --hmark-tuple src,,dst --hmark-mod 10', 'refused', { table: 'mangle' }],
  ])('%s', (text, expected, context) => {
    expect(printed(hmark, text, context)).toBe(expected === '=' ? text : expected);
  });
});
