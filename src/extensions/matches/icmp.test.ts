import { describe, expect, it } from 'vitest';
import { lowers, printed, refusal } from '../case-runner.ts';
import { icmp } from './icmp.ts';
import { icmp6 } from './icmp6.ts';

const V6 = { family: 'ipv6' } as const;

describe('icmp', () => {
  it.each([
    ['any', 'any'],
    ['255/0:255', 'any'],
    ['255', 'any'],
    ['255/255', '255/255'],
    ['8', '8'],
    ['0x8', '8'],
    ['010', '8'],
    ['8/0', '8/0'],
    ['echo-request', '8'],
    ['Echo-Req', '8'],
    ['ping', '8'],
    ['pong', '0'],
    ['ttl-exceeded', '11'],
    ['fragmentation-needed', '3/4'],
    ['TOS-host-redirect', '5/3'],
    ['3/0:255', '3'],
    // iptables 1.8.9 prints 3/0 here, which is another rule.
    ['3/0:4', '3/0:4'],
    ['3/1:255', '3/1:255'],
  ])('%s', (given, expected) => {
    expect(printed(icmp, `--icmp-type ${given}`)).toBe(`--icmp-type ${expected}`);
    expect(printed(icmp, `! --icmp-type ${given}`)).toBe(`! --icmp-type ${expected}`);
  });

  it.each(['', '--icmp-type 256', '--icmp-type 8/', '--icmp-type 8/0:', '--icmp-type -1', '--icmp-type ""'])(
    'refuses %j',
    (given) => {
      expect(printed(icmp, given)).toBe('refused');
    },
  );

  it('names the two that an abbreviation may be', () => {
    expect(refusal(icmp, '--icmp-type echo')).toContain('echo-reply or echo-request');
  });

  it('wants the whole header', () => {
    expect(lowers(icmp, '--icmp-type 3/0:4')).toEqual([
      'require ip.fragOffset = 0',
      'hotdrop transport.length = 0-7',
      'require (icmp.type = 3 and icmp.code = 0-4)',
    ]);
    expect(lowers(icmp, '! --icmp-type 8').at(-1)).toBe('require icmp.type = 0-7|9-255');
    expect(lowers(icmp, '! --icmp-type 8/0').at(-1)).toBe('require (icmp.type = 0-7|9-255 or icmp.code = 1-255)');
  });

  it('takes type 255 for every type, whatever the codes', () => {
    const header = ['require ip.fragOffset = 0', 'hotdrop transport.length = 0-7'];
    expect(lowers(icmp, '--icmp-type any')).toEqual(header);
    expect(lowers(icmp, '--icmp-type 255/255')).toEqual(header);
    expect(lowers(icmp, '! --icmp-type any')).toEqual([...header, 'require false']);
  });
});

describe('icmp6', () => {
  it.each([
    ['echo-request', '128'],
    ['no-route', '1/0'],
    ['128/0', '128/0'],
    ['255', '255'],
    ['redirect', '137'],
    ['neighbour-advertisement', '136'],
    ['neighbor-solicitation', '135'],
    ['ttl-zero-during-reassembly', '3/1'],
    ['unknown-option', '4/2'],
    ['1/0:3', '1/0:3'],
  ])('%s', (given, expected) => {
    expect(printed(icmp6, `--icmpv6-type ${given}`, V6)).toBe(`--icmpv6-type ${expected}`);
  });

  it.each(['', '--icmpv6-type any', '--icmpv6-type neigh', '--icmpv6-type mld-listener-query'])(
    'refuses %j',
    (given) => {
      expect(printed(icmp6, given, V6)).toBe('refused');
    },
  );

  it('has no type for every type', () => {
    expect(lowers(icmp6, '--icmpv6-type 255', V6)).toEqual([
      'require ip6.fragOffset = 0',
      'hotdrop transport.length = 0-7',
      'require icmp.type = 255',
    ]);
  });
});
