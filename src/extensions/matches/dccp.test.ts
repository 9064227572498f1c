import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { dccp } from './dccp.ts';

describe('dccp', () => {
  it.each<PrintCase>([
    ['--sport 5:6 ! --dport 9 --dccp-types REQUEST,DATA ! --dccp-option 3', '=', { protocol: 33 }],
    ['! --dccp-types request,Ack,INVALID', '! --dccp-types REQUEST,ACK,INVALID', { protocol: 33 }],
    ['--dccp-types REQUEST,RESPONSE,DATA,ACK,DATAACK,CLOSEREQ,CLOSE,RESET,SYNC,SYNCACK,INVALID', '=', { protocol: 33 }],
    ['--dccp-types foo', 'refused', { protocol: 33 }],
    ['--dccp-types DATA,,ACK', '--dccp-types DATA,ACK', { protocol: 33 }],
    ['--dccp-option 0', 'refused', { protocol: 33 }],
    ['--dccp-option 1', '=', { protocol: 33 }],
    ['--dccp-option 256', 'refused', { protocol: 33 }],
    ['--sport 0:65535', '=', { protocol: 33 }],
    ['! --sport 0:65535', '=', { protocol: 33 }],
    ['--sport http', '--sport 80', { protocol: 33 }],
    ['--source-port 5: --destination-port :6', '--sport 5:65535 --dport 0:6', { protocol: 33 }],
    ['', '', { protocol: 33 }],
  ])('%s', (text, expected, context) => {
    expect(printed(dccp, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('dccp lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    [
      '--dccp-types REQUEST,RESET,INVALID --dccp-option 37',
      [
        'require ip6.fragOffset = 0',
        'hotdrop transport.length = 0-11',
        'require transport[8:8] & 0x1e = 0|14|20-30',
        'hotdrop evil {"kind":"dccpOption","option":37}',
        'require {"kind":"dccpOption","option":37}',
      ],
      { protocol: 33, family: 'ipv6' },
    ],
    [
      '--dccp-types ""',
      ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-11', 'require false'],
      { protocol: 33 },
    ],
    [
      '! --dccp-option 37',
      [
        'require ip.fragOffset = 0',
        'hotdrop transport.length = 0-11',
        'doom evil {"kind":"dccpOption","option":37}',
        'require not {"kind":"dccpOption","option":37}',
      ],
      { protocol: 33 },
    ],
  ])('%s', (text, expected, context) => {
    expect(lowers(dccp, text, context)).toEqual(expected);
  });
});
