import { describe, expect, it } from 'vitest';
import { type CaseContext, printed } from '../case-runner.ts';
import type { TargetExtension } from '../contract.ts';
import { checksum } from './checksum.ts';
import { classify } from './classify.ts';
import { connmark } from './connmark.ts';
import { ct } from './ct.ts';
import { dscp } from './dscp.ts';
import { hl } from './hl.ts';
import { mark } from './mark.ts';
import { nfqueue } from './nfqueue.ts';
import { tcpmss } from './tcpmss.ts';
import { tos } from './tos.ts';
import { tproxy } from './tproxy.ts';
import { ttl } from './ttl.ts';

const V6: CaseContext = { table: 'mangle', family: 'ipv6', protocol: 6 };
const TCP: CaseContext = { table: 'mangle', protocol: 6 };
const ALL_ONES = '--nfmask 0xffffffff --ctmask 0xffffffff';

type Case = readonly [text: string, expected: string, context?: CaseContext];

describe.each<[TargetExtension, readonly Case[]]>([
  [
    mark,
    [
      ['--set-mark 1', '--set-xmark 0x1/0xffffffff'],
      ['--set-mark 0x1ff/0xff', '--set-xmark 0x1ff/0x1ff'],
      ['--set-mark 3/4', '--set-xmark 0x3/0x7'],
      ['--set-mark 010', '--set-xmark 0x8/0xffffffff'],
      ['--set-xmark 0xfeedcafe/0xfeedcafe', '='],
      ['--set-xmark 3', '--set-xmark 0x3/0xffffffff'],
      ['--or-mark 0x10', '--set-xmark 0x10/0x10'],
      ['--and-mark 0x10', '--set-xmark 0x0/0xffffffef'],
      ['--xor-mark 0x10', '--set-xmark 0x10/0x0'],
      ['--or-mark 1/2', 'refused'],
      ['--set-mark 1 --or-mark 2', 'refused'],
      ['--set-xmark 4294967296', 'refused'],
      ['--set-xmark -1', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    connmark,
    [
      ['--set-mark 0x1/0xff', '--set-xmark 0x1/0xff'],
      ['--and-mark 1', '--set-xmark 0x0/0xfffffffe'],
      ['--set-mark 3 --mask 1', '--set-xmark 0x3/0x1'],
      ['--set-xmark 3/5 --ctmask 1', '--set-xmark 0x3/0x1'],
      ['--set-mark 1 --nfmask 1', '--set-xmark 0x1/0xffffffff'],
      ['--save-mark', `--save-mark ${ALL_ONES}`],
      ['--restore-mark', `--restore-mark ${ALL_ONES}`],
      ['--save-mark --mask 0xff', '--save-mark --nfmask 0xff --ctmask 0xff'],
      ['--restore-mark --ctmask 0xf --nfmask 010', '--restore-mark --nfmask 0x8 --ctmask 0xf'],
      ['--restore-mark --nfmask 0', '--restore-mark --nfmask 0x0 --ctmask 0xffffffff'],
      ['--or-mark 3 --left-shift-mark 1', '--set-xmark 0x3/0x3 --left-shift-mark 1'],
      ['--save-mark --right-shift-mark 31', `--save-mark ${ALL_ONES} --right-shift-mark 31`],
      ['--set-mark 1 --left-shift-mark 0', '--set-xmark 0x1/0xffffffff'],
      ['--save-mark --left-shift-mark 32', 'refused'],
      ['--save-mark --mask 1 --nfmask 1', 'refused'],
      ['--set-mark 1 --save-mark', 'refused'],
      ['--mask 1', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    tcpmss,
    [
      ['--set-mss 1400', '='],
      ['--clamp-mss-to-pmtu', '='],
      ['--set-mss 1400 --clamp-mss-to-pmtu', '--clamp-mss-to-pmtu'],
      ['--set-mss 65516', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    checksum,
    [
      ['--checksum-fill', '='],
      ['', 'refused'],
    ],
  ],
  [
    ct,
    [
      ['', '='],
      ['--notrack', '='],
      ['--zone 65535', '='],
      ['--zone mark', '='],
      ['--zone-orig 0x3', '--zone-orig 3'],
      ['--zone 65536', 'refused'],
      ['--zone -1', 'refused'],
      ['--ctevents related,new,mark,natseqinfo,secmark', '--ctevents new,related,mark,natseqinfo,secmark'],
      ['--ctevents NEW', 'refused'],
      ['--zone 3 --expevents new --helper ftp', '--helper ftp --expevents new --zone 3'],
      ['--helper ftp', 'refused', { table: 'raw' }],
      ['--notrack --zone 3', '='],
    ],
  ],
  [
    tproxy,
    [
      ['--on-port 1', '--on-port 1 --on-ip 0.0.0.0 --tproxy-mark 0x0/0x0'],
      ['--tproxy-mark 1 --on-port http', '--on-port 80 --on-ip 0.0.0.0 --tproxy-mark 0x1/0xffffffff'],
      ['--on-port 12345 --on-ip 10.0.0.1 --tproxy-mark 0x23/0xff', '='],
      ['--on-port 1', '--on-port 1 --on-ip :: --tproxy-mark 0x0/0x0', V6],
      ['--on-port 1:2', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    nfqueue,
    [
      ['', '--queue-num 0'],
      ['--queue-bypass', '--queue-num 0 --queue-bypass'],
      ['--queue-num 65535', '='],
      ['--queue-num 65536', 'refused'],
      ['--queue-balance :', '--queue-balance 0:65534'],
      ['--queue-balance 4:', '--queue-balance 4:65534'],
      ['--queue-balance :4', '--queue-balance 0:4'],
      [
        '--queue-cpu-fanout --queue-bypass --queue-balance 0:6',
        '--queue-balance 0:6 --queue-bypass --queue-cpu-fanout',
      ],
      ['--queue-balance 0:65535', 'refused'],
      ['--queue-balance 4', 'refused'],
      ['--queue-balance 4:4', 'refused'],
      ['--queue-balance 4:3', 'refused'],
      ['--queue-num 1 --queue-cpu-fanout', 'refused'],
      ['--queue-num 1 --queue-balance 1:2', 'refused'],
    ],
  ],
  [
    dscp,
    [
      ['--set-dscp 10', '--set-dscp 0x0a'],
      ['--set-dscp-class ef', '--set-dscp 0x2e'],
      ['--set-dscp-class CS7', '--set-dscp 0x38'],
      ['--set-dscp-class BE', '--set-dscp 0x00'],
      ['--set-dscp-class foo', 'refused'],
      ['--set-dscp 0x40', 'refused'],
      ['--set-dscp 0x3f --set-dscp-class CS0', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    tos,
    [
      ['--set-tos 16', '--set-tos 0x10/0xff'],
      ['--set-tos 0x1f/0x1f', '='],
      ['--set-tos minimize-delay', '--set-tos 0x10/0x3f'],
      ['--and-tos 0x12', '--set-tos 0x00/0xed'],
      ['--or-tos 0x12', '--set-tos 0x12/0x12'],
      ['--xor-tos 0x12', '--set-tos 0x12/0x00'],
      ['--set-tos Min', 'refused'],
      ['--set-tos 0x1ff', 'refused'],
      ['--set-tos constructor', 'refused'],
      ['--and-tos 256', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    classify,
    [
      ['--set-class 1:10', '--set-class 0001:0010'],
      ['--set-class 0x1:ffff', '--set-class 0001:ffff'],
      ['--set-class 1', 'refused'],
      ['--set-class g:1', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    ttl,
    [
      ['--ttl-set 0', '='],
      ['--ttl-inc 1', '='],
      ['--ttl-dec 0', 'refused'],
      ['--ttl-set 256', 'refused'],
      ['--ttl-dec 1 --ttl-inc 1', 'refused'],
      ['', 'refused'],
    ],
  ],
  [
    hl,
    [
      ['--hl-set 5', '=', V6],
      ['--hl-dec 0', 'refused', V6],
      ['', 'refused', V6],
    ],
  ],
])('$name', (target, cases) => {
  const rows = cases.map(([text, expected, context = TCP]) => ({ text, expected, context }));

  it.each(rows)('$text', ({ text, expected, context }) => {
    expect(printed(target, text, context)).toBe(expected === '=' ? text : expected);
  });
});
