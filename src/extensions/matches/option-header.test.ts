import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { dst, hbh } from './option-header.ts';

describe('dst', () => {
  it.each<PrintCase>([
    ['--dst-len 8 --dst-opts 1:2,3,0x20:5', '--dst-len 8 --dst-opts 1:2,3,32:5', { family: 'ipv6' }],
    ['! --dst-len 8', '=', { family: 'ipv6' }],
    ['! --dst-opts 1', 'refused', { family: 'ipv6' }],
    ['', '', { family: 'ipv6' }],
    ['--dst-len 0', '=', { family: 'ipv6' }],
    ['--dst-len 65535', '=', { family: 'ipv6' }],
    ['--dst-len 4294967295', '=', { family: 'ipv6' }],
    ['--dst-len 4294967296', 'refused', { family: 'ipv6' }],
    ['--dst-opts ""', 'refused', { family: 'ipv6' }],
    ['--dst-opts 1:255', '--dst-opts 1', { family: 'ipv6' }],
    ['--dst-opts 1:', 'refused', { family: 'ipv6' }],
    ['--dst-opts 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15', '=', { family: 'ipv6' }],
    ['--dst-opts 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16', 'refused', { family: 'ipv6' }],
    ['--dst-opts 1,,2', 'refused', { family: 'ipv6' }],
    ['--dst-opts 0:0', 'refused', { family: 'ipv6' }],
    ['--dst-opts 5 --dst-not-strict', 'refused', { family: 'ipv6' }],
    ['--dst-not-strict', 'refused', { family: 'ipv6' }],
    ['--dst-opts 6:2 --dst-not-strict', 'refused', { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(printed(dst, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('hbh', () => {
  it.each<PrintCase>([
    ['--hbh-len 8 --hbh-opts 5:2', '=', { family: 'ipv6' }],
    ['! --hbh-len 8', '=', { family: 'ipv6' }],
    ['--hbh-len 4294967295', '=', { family: 'ipv6' }],
    ['! --hbh-opts 8', 'refused', { family: 'ipv6' }],
    ['--hbh-opts 0x5:2,194:4', '--hbh-opts 5:2,194:4', { family: 'ipv6' }],
    ['--hbh-opts 8 --hbh-not-strict', 'refused', { family: 'ipv6' }],
    ['', '', { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(printed(hbh, text, context)).toBe(expected === '=' ? text : expected);
  });
});
