import { describe, expect, it } from 'vitest';
import { lowers, printed } from '../case-runner.ts';
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

describe('conditions for IPv4', () => {
  it.each([
    ['--dst-type LOCAL', 'require (ip.daddr = 1-0xffffffff and route.dstType = 2)'],
    ['--dst-type LOCAL,BROADCAST,MULTICAST', 'require (ip.daddr = 0 or route.dstType = 2-3|5)'],
    ['! --dst-type LOCAL', 'require (ip.daddr = 0 or route.dstType = 0-1|3-255)'],
    ['--dst-type UNREACHABLE,UNSPEC', 'require false'],
  ])('%s', (given, expected) => {
    expect(lowers(addrtype, given)).toEqual([expected]);
  });

  it.each([
    ['--src-type LOCAL', /^cannot: the type of a source address/],
    ['--dst-type LOCAL --limit-iface-in', /^cannot: --limit-iface-in/],
    ['--dst-type LOCAL --limit-iface-out', /^cannot: --limit-iface-out/],
  ])('%s', (given, why) => {
    expect(lowers(addrtype, given)[0]).toMatch(why);
  });

  it('know that 0.0.0.0 is a broadcast address, though its route is local', () => {
    const sent = { reachableFrom: ['OUTPUT'] } as const;
    expect(lowers(addrtype, '--dst-type LOCAL', sent)[0]).toBe(
      'require (ip.daddr = 1-0xffffffff and route.dstType = 2)',
    );
    expect(lowers(addrtype, '--dst-type BROADCAST', sent)[0]).toBe('require (ip.daddr = 0 or route.dstType = 3)');
  });

  it('are refused where another device may own a link-local destination', () => {
    for (const hook of ['FORWARD', 'OUTPUT'] as const) {
      const [answer] = lowers(addrtype, '--dst-type LOCAL', { ...V6, reachableFrom: [hook] });
      expect(answer).toMatch(/^cannot: at (FORWARD|OUTPUT) a link-local destination/);
    }
    expect(lowers(addrtype, '--dst-type LOCAL', { ...V6, reachableFrom: ['INPUT'] })[0]).toMatch(/^require/);
  });

  it('need a route', () => {
    const early = { table: 'raw', reachableFrom: ['PREROUTING', 'OUTPUT'] } as const;
    expect(lowers(addrtype, '--dst-type LOCAL', early)[0]).toMatch(/^cannot: at PREROUTING the packet has no route/);
    expect(lowers(addrtype, '--dst-type LOCAL', { ...early, reachableFrom: ['OUTPUT'] })).toHaveLength(1);
    expect(lowers(addrtype, '--dst-type LOCAL', { reachableFrom: [] })).toHaveLength(1);
  });
});

describe('conditions for IPv6', () => {
  const early = { ...V6, table: 'raw', reachableFrom: ['PREROUTING'] } as const;

  it('ask the address itself where that tells the type', () => {
    expect(lowers(addrtype, '--src-type MULTICAST', early)).toEqual([
      'require ip6.saddr & 0xff000000000000000000000000000000 = 0xff000000000000000000000000000000',
    ]);
    expect(lowers(addrtype, '--dst-type UNSPEC', early)).toEqual(['require ip6.daddr = 0']);
    expect(lowers(addrtype, '! --dst-type UNICAST', early)).toEqual([
      'require ip6.daddr = 0|0xffff00000000-0xffffffffffff|0xff000000000000000000000000000000-0xffffffffffffffffffffffffffffffff',
    ]);
  });

  it('want every kind that was given', () => {
    expect(lowers(addrtype, '--dst-type UNICAST,UNSPEC', V6)).toEqual(['require false']);
  });

  it('ask the route for LOCAL', () => {
    expect(lowers(addrtype, '--dst-type LOCAL', V6)).toEqual(['require route.dstType = 2']);
    expect(lowers(addrtype, '--dst-type LOCAL', early)[0]).toMatch(/^cannot/);
    expect(lowers(addrtype, '--src-type LOCAL', V6)[0]).toMatch(/^cannot/);
    expect(lowers(addrtype, '--dst-type UNREACHABLE', V6)[0]).toMatch(/^cannot: the type UNREACHABLE/);
  });
});
