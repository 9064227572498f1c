import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { ipv6header } from './ipv6header.ts';

describe('ipv6header', () => {
  it.each<PrintCase>([
    ['--header hop', '--header hop-by-hop', { family: 'ipv6' }],
    [
      '--header hop,dst,route,frag,auth,esp,none,prot --soft',
      '--header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol --soft',
      { family: 'ipv6' },
    ],
    ['--header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol', '=', { family: 'ipv6' }],
    [
      '--header 0,60,43,44,51,50,59,255',
      '--header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol',
      { family: 'ipv6' },
    ],
    ['! --header 44', '! --header ipv6-frag', { family: 'ipv6' }],
    ['--soft', 'refused', { family: 'ipv6' }],
    ['--header tcp', 'refused', { family: 'ipv6' }],
    ['--header 6', 'refused', { family: 'ipv6' }],
    ['--header hbh', 'refused', { family: 'ipv6' }],
    ['--header HOP', 'refused', { family: 'ipv6' }],
    ['--header ""', 'refused', { family: 'ipv6' }],
    ['! --soft --header hop', 'refused', { family: 'ipv6' }],
    ['! --header hop --soft', '! --header hop-by-hop --soft', { family: 'ipv6' }],
    ['', 'refused', { family: 'ipv6' }],
    ['--header 255', '--header protocol', { family: 'ipv6' }],
    ['--header icmpv6', 'refused', { family: 'ipv6' }],
  ])('%s', (text, expected, context) => {
    expect(printed(ipv6header, text, context)).toBe(expected === '=' ? text : expected);
  });
});
