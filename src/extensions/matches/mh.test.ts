import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { mh } from './mh.ts';

describe('mh', () => {
  it.each<PrintCase>([
    ['--mh-type 5', '=', { family: 'ipv6', protocol: 135 }],
    ['--mh-type bu:be', '--mh-type 5:7', { family: 'ipv6', protocol: 135 }],
    ['! --mh-type binding-update', '! --mh-type 5', { family: 'ipv6', protocol: 135 }],
    ['--mh-type binding', '--mh-type 0', { family: 'ipv6', protocol: 135 }],
    ['--mh-type BU', '--mh-type 5', { family: 'ipv6', protocol: 135 }],
    ['--mh-type 255', '=', { family: 'ipv6', protocol: 135 }],
    ['--mh-type 256', 'refused', { family: 'ipv6', protocol: 135 }],
    ['--mh-type :3', '--mh-type 0:3', { family: 'ipv6', protocol: 135 }],
    ['--mh-type 3:', '--mh-type 3:255', { family: 'ipv6', protocol: 135 }],
    ['--mh-type 3:2', 'refused', { family: 'ipv6', protocol: 135 }],
    ['--mh-type 0:255', '', { family: 'ipv6', protocol: 135 }],
    ['--mh-type cot', '--mh-type 4', { family: 'ipv6', protocol: 135 }],
    ['', '', { family: 'ipv6', protocol: 135 }],
    ['--mh-type home-test', '--mh-type 3', { family: 'ipv6', protocol: 135 }],
    ['--mh-type hot', '--mh-type 3', { family: 'ipv6', protocol: 135 }],
    ['--mh-type binding-refresh', '--mh-type 0', { family: 'ipv6', protocol: 135 }],
    ['! --mh-type :', '! --mh-type 0:255', { family: 'ipv6', protocol: 135 }],
  ])('%s', (text, expected, context) => {
    expect(printed(mh, text, context)).toBe(expected === '=' ? text : expected);
  });
});
