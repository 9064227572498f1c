import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
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
