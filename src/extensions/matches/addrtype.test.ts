import { describe, expect, it } from 'vitest';
import { asks, lowers, printed } from '../case-runner.ts';
import { addrtype } from './addrtype.ts';

const V6 = { family: 'ipv6' } as const;
const ALL = 'UNSPEC,UNICAST,LOCAL,BROADCAST,ANYCAST,MULTICAST,BLACKHOLE,UNREACHABLE,PROHIBIT,THROW,NAT,XRESOLVE';

describe('text', () => {
  it.each([
    ['--dst-type BROADCAST,LOCAL', '--dst-type LOCAL,BROADCAST'],
    ['--dst-type loc', '--dst-type LOCAL'],
    [`--dst-type ${ALL}`, `--dst-type ${ALL}`],
    ['! --dst-type UNICAST ! --src-type LOCAL', '! --src-type LOCAL ! --dst-type UNICAST'],
    ['--dst-type LOCAL --limit-iface-in', '--dst-type LOCAL --limit-iface-in'],
    ['--dst-type LOCAL --limit-iface-in --limit-iface-out', 'refused'],
    ['--dst-type LOCAL ! --limit-iface-in', 'refused'],
    ['--limit-iface-in', 'refused'],
    ['--dst-type UNICAST,', 'refused'],
    ['--src-type wrong', 'refused'],
    ['', 'refused'],
  ])('%s', (given, expected) => {
    expect(printed(addrtype, given)).toBe(expected);
  });

  it.each(['BROADCAST', 'BLACKHOLE', 'PROHIBIT', 'NAT'])('IPv6 has no %s', (type) => {
    expect(printed(addrtype, `--dst-type ${type}`, V6)).toBe('refused');
    expect(printed(addrtype, '--dst-type UNICAST,UNREACHABLE', V6)).toBe('--dst-type UNICAST,UNREACHABLE');
  });
});

describe('conditions', () => {
  it.each([
    ['--dst-type MULTICAST', 'require ip.daddr & 0xf0000000 = 0xe0000000'],
    ['! --src-type MULTICAST', 'require ip.saddr & 0xf0000000 = 0-0xd0000000|0xf0000000'],
    ['--dst-type UNREACHABLE,UNSPEC', 'require false'],
  ])('IPv4 %s: told from the address', (given, expected) => {
    expect(lowers(addrtype, given)).toEqual([expected]);
    expect(asks(addrtype, given)).toEqual([]);
  });

  it.each([
    ['--dst-type LOCAL', [0, 0, 4, 0, 0, 0, 0, 0]],
    ['! --src-type LOCAL --dst-type UNICAST,BROADCAST', [4, 0, 10, 0, 1, 0, 0, 0]],
    ['! --dst-type ANYCAST,LOCAL --limit-iface-in', [0, 0, 20, 0, 6, 0, 0, 0]],
    ['--src-type LOCAL,XRESOLVE --limit-iface-out', [4, 8, 0, 0, 8, 0, 0, 0]],
    ['--src-type LOCAL --dst-type MULTICAST', [4, 0, 0, 0, 0, 0, 0, 0]],
  ])('IPv4 %s: the kernel looks it up', (given, info) => {
    expect(asks(addrtype, given)).toEqual([{ kind: 'extension', name: 'addrtype', revision: 1, info }]);
  });

  it('IPv6 tells three types from the address, and wants every one that was given', () => {
    expect(lowers(addrtype, '--src-type MULTICAST', V6)).toEqual([
      'require ip6.saddr & 0xff000000000000000000000000000000 = 0xff000000000000000000000000000000',
    ]);
    expect(lowers(addrtype, '--dst-type UNSPEC', V6)).toEqual(['require ip6.daddr = 0']);
    expect(lowers(addrtype, '! --dst-type UNICAST', V6)).toEqual([
      'require ip6.daddr = 0|0xffff00000000-0xffffffffffff|0xff000000000000000000000000000000-0xffffffffffffffffffffffffffffffff',
    ]);
    expect(lowers(addrtype, '--dst-type UNICAST,UNSPEC', V6)).toEqual(['require false']);
    expect(asks(addrtype, '--dst-type LOCAL', V6)).toHaveLength(1);
    expect(asks(addrtype, '--src-type UNICAST,UNREACHABLE', V6)).toHaveLength(1);
  });
});
