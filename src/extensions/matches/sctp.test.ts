import { describe, expect, it } from 'vitest';
import { type CaseContext, lowers, type PrintCase, printed } from '../case-runner.ts';
import { sctp } from './sctp.ts';

describe('sctp', () => {
  it.each<PrintCase>([
    ['--chunk-types any DATA,INIT', '=', { protocol: 132 }],
    ['! --chunk-types only DATA:Be', '=', { protocol: 132 }],
    ['--chunk-types only DATA:Be', '=', { protocol: 132 }],
    ['--chunk-types all DATA:iUbE', '=', { protocol: 132 }],
    ['--chunk-types all DATA:bE,ABORT:T', '=', { protocol: 132 }],
    ['--chunk-types all ABORT:x', 'refused', { protocol: 132 }],
    ['--chunk-types all DATA:x', 'refused', { protocol: 132 }],
    ['--chunk-types all INIT:b', 'refused', { protocol: 132 }],
    ['--chunk-types all ALL', '=', { protocol: 132 }],
    ['--chunk-types all NONE', '=', { protocol: 132 }],
    ['--chunk-types any ALL', '=', { protocol: 132 }],
    ['--chunk-types foo ALL', 'refused', { protocol: 132 }],
    ['--chunk-types ALL data,Init', '--chunk-types all DATA,INIT', { protocol: 132 }],
    ['--chunk-types all', 'refused', { protocol: 132 }],
    ['--chunk-types all DATA,foo', 'refused', { protocol: 132 }],
    ['--chunk-types all INIT,DATA', '--chunk-types all DATA,INIT', { protocol: 132 }],
    ['--chunk-types all DATA:', '--chunk-types all DATA', { protocol: 132 }],
    ['--chunk-types all DATA:B', '=', { protocol: 132 }],
    ['--chunk-types all DATA:bB', '--chunk-types all DATA:B', { protocol: 132 }],
    ['--chunk-types any ASCONF,DATA', '--chunk-types any DATA,ASCONF', { protocol: 132 }],
    ['--chunk-types any SHUTDOWN_COMPLETE:t', '=', { protocol: 132 }],
    ['--chunk-types any SHUTDOWN_COMPLETE:T,DATA:U', '--chunk-types any DATA:U,SHUTDOWN_COMPLETE:T', { protocol: 132 }],
    ['! --sport 0:65535 --dport 0:65535', '=', { protocol: 132 }],
    ['--sport 5: ! --dport :6', '--sport 5:65535 ! --dport 0:6', { protocol: 132 }],
    ['--sport 6:5', 'refused', { protocol: 132 }],
    ['--sport http', 'refused', { protocol: 132 }],
    ['--source-port 6 --destination-port 7', '--sport 6 --dport 7', { protocol: 132 }],
    ['', '', { protocol: 132 }],
    ['--chunk-types any DATA,DATA', '--chunk-types any DATA', { protocol: 132 }],
    ['--chunk-types any DATA:b,DATA:E', '--chunk-types any DATA:bE', { protocol: 132 }],
    [
      '--chunk-types any I_DATA,I_FORWARD_TSN,RE_CONFIG,PAD',
      '--chunk-types any I_DATA,RE_CONFIG,PAD,I_FORWARD_TSN',
      { protocol: 132 },
    ],
    ['--chunk-types any I_DATA:B', 'refused', { protocol: 132 }],
  ])('%s', (text, expected, context) => {
    expect(printed(sctp, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('sctp lowers to', () => {
  it.each<[string, readonly string[], CaseContext?]>([
    [
      '--sport 5 ! --dport 7:65535',
      [
        'require ip.fragOffset = 0',
        'hotdrop transport.length = 0-11',
        'require transport.sport = 5',
        'require transport.dport = 0-6',
      ],
      { protocol: 132 },
    ],
    [
      '--chunk-types any DATA:Be,INIT,ABORT',
      [
        'require ip.fragOffset = 0',
        'hotdrop transport.length = 0-11',
        'hotdrop evil {"kind":"sctpChunks","how":"any","types":[{"min":0,"max":1},{"min":6,"max":6}],"flags":[{"type":0,"mask":3,"value":2}]}',
        'require {"kind":"sctpChunks","how":"any","types":[{"min":0,"max":1},{"min":6,"max":6}],"flags":[{"type":0,"mask":3,"value":2}]}',
      ],
      { protocol: 132 },
    ],
    [
      '--chunk-types all ALL',
      [
        'require ip.fragOffset = 0',
        'hotdrop transport.length = 0-11',
        'hotdrop evil {"kind":"sctpChunks","how":"all","types":[{"min":0,"max":255}],"flags":[]}',
        'require false',
      ],
      { protocol: 132 },
    ],
    [
      '! --chunk-types any DATA',
      [
        'require ip.fragOffset = 0',
        'hotdrop transport.length = 0-11',
        'doom evil {"kind":"sctpChunks","how":"any","types":[{"min":0,"max":0}],"flags":[]}',
        'require not {"kind":"sctpChunks","how":"any","types":[{"min":0,"max":0}],"flags":[]}',
      ],
      { protocol: 132 },
    ],
  ])('%s', (text, expected, context) => {
    expect(lowers(sctp, text, context)).toEqual(expected);
  });
});
