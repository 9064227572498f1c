import { describe, expect, test } from 'vitest';
import { answer, four, six, syn } from '../../test/generate/answers.ts';
import type { Family } from '../packet/netfilter.ts';
import { icmp, type Payload, PROTOCOL, raw, tcp, truncated, udp } from '../packet/transport.ts';
import type { ConntrackView } from './packet-view.ts';

describe('IPv4', () => {
  const later = (offset: number, payload: Payload = syn) => four(payload, { fragmentOffset: offset });
  test.each([
    ['-f', later(1), 'yes'],
    ['-f', four(syn, { moreFragments: 1 }), 'no'],
    ['! -f', four(syn, { moreFragments: 1 }), 'yes'],
    ['! -f', later(100), 'no'],
    ['-p tcp -m tcp --dport 80', later(2), 'no'],
    ['-p tcp -m tcp ! --dport 80', later(2), 'no'],
    ['-p tcp -m tcp ! --dport 80', later(1), 'hotdrop'],
    ['-p tcp', later(1), 'yes'],
    ['-p udp -m udp --dport 80', later(1, udp({ destination: 80 })), 'no'],
    ['-p udp -m multiport ! --dports 81', later(3, udp({ destination: 80 })), 'no'],
    ['-p icmp -m icmp --icmp-type any', later(1, icmp({ type: 8 })), 'no'],
    ['-p tcp -m tcp --dport 80', four(syn, { options: new Uint8Array(8).fill(1) }), 'yes'],
    ['-s 192.0.2.0/24', four(syn), 'yes'],
    ['! -s 192.0.2.0/24', four(syn), 'no'],
    ['-s 192.0.3.1/255.255.0.255', four(syn), 'yes'],
  ] as const)('%s: case %# is %s', (rule, packet, expected) => {
    expect(answer(rule, packet)).toBe(expected);
  });

  test('ihl 4: the transport header begins four bytes early', () => {
    const packet = four(syn, { ihl: 4, destination: '0.80.0.81' });
    expect(answer('-p tcp -m tcp --sport 80 --dport 81', packet)).toBe('yes');
  });
});

describe('TCP, UDP, ICMP', () => {
  test.each([0, 4, 8, 13, 19])('TCP cut after %i bytes drops, even inverted', (length) => {
    expect(answer('-p tcp -m tcp --dport 80', four(truncated(syn, length)))).toBe('hotdrop');
    expect(answer('-p tcp -m tcp ! --dport 80', six(truncated(syn, length)))).toBe('hotdrop');
    expect(answer('-p tcp', four(truncated(syn, length)))).toBe('yes');
    expect(answer('-p tcp -m multiport --dports 80', four(truncated(syn, length)))).toBe(
      length < 4 ? 'hotdrop' : 'yes',
    );
  });

  test.each([0, 4, 7])('UDP cut after %i bytes drops', (length) => {
    expect(answer('-p udp -m udp ! --sport 5:9', four(truncated(udp(), length)))).toBe('hotdrop');
    expect(answer('-p udp -m udp --dport 80', six(truncated(udp(), length)))).toBe('hotdrop');
  });

  test.each([
    ['--dport 80', 'yes'],
    ['! --dport 80', 'no'],
    ['--dport 81:', 'no'],
    ['--sport :1000', 'yes'],
    ['! --sport 1:999 --dport 80', 'yes'],
    ['--syn', 'yes'],
    ['! --syn', 'no'],
    ['--tcp-flags ALL SYN', 'yes'],
    ['--tcp-flags SYN,ACK SYN,ACK', 'no'],
    ['--tcp-flags SYN SYN,ACK', 'no'],
    ['--tcp-flags ALL NONE', 'no'],
  ])('tcp %s: %s', (options, expected) => {
    expect(answer(`-p tcp -m tcp ${options}`, four(syn))).toBe(expected);
    expect(answer(`-p tcp -m tcp ${options}`, six(syn))).toBe(expected);
  });

  const withOptions = (...bytes: number[]) => four(tcp({ options: Uint8Array.from(bytes) }));
  test.each([
    ['found', '--tcp-option 2', withOptions(2, 4, 5, 180), 'yes'],
    ['found, inverted', '! --tcp-option 2', withOptions(2, 4, 5, 180), 'no'],
    ['no option bytes', '--tcp-option 2', four(tcp()), 'no'],
    ['no option bytes, inverted', '! --tcp-option 2', four(tcp()), 'yes'],
    ['end of list does not stop', '--tcp-option 3', withOptions(0, 3, 3, 7), 'yes'],
    ['length 0 steps one byte', '--tcp-option 5', withOptions(3, 0, 5, 2), 'yes'],
    ['inside another option', '--tcp-option 5', withOptions(3, 4, 5, 5), 'no'],
    ['length past the end', '--tcp-option 5', withOptions(3, 40, 5, 5), 'no'],
    ['last byte', '--tcp-option 5', withOptions(1, 1, 1, 5), 'yes'],
    ['doff 4', '--tcp-option 5', four(tcp({ dataOffset: 4 })), 'hotdrop'],
    ['doff 15 without bytes', '! --tcp-option 5', four(tcp({ dataOffset: 15 })), 'hotdrop'],
    ['doff 4 without an option test', '--dport 0', four(tcp({ dataOffset: 4 })), 'yes'],
  ] as const)('tcp option: %s', (_, options, packet, expected) => {
    expect(answer(`-p tcp -m tcp ${options}`, packet)).toBe(expected);
  });

  test.each([
    ['any', 255, 0, 'yes'],
    ['8', 8, 7, 'yes'],
    ['3/1', 3, 1, 'yes'],
    ['3/1', 3, 2, 'no'],
    ['8', 0, 0, 'no'],
  ])('icmp type %s against %i/%i: %s', (type, packetType, code, expected) => {
    expect(answer(`-p icmp -m icmp --icmp-type ${type}`, four(icmp({ type: packetType, code })))).toBe(expected);
  });

  test('icmp cut after 7 bytes drops', () => {
    expect(answer('-p icmp -m icmp ! --icmp-type 8', four(truncated(icmp({ type: 8 }), 7)))).toBe('hotdrop');
    expect(answer('-p ipv6-icmp -m icmp6 --icmpv6-type 128', six(truncated(icmp({ type: 128 }), 3)))).toBe('hotdrop');
  });
});

describe('IPv6 header chains', () => {
  const dport = '-p tcp -m tcp --dport 80';
  test.each(['hopByHop', 'routing', 'fragment', 'ah', 'destination'] as const)(
    '%s as first header does not hide the port',
    (kind) => {
      expect(answer(dport, six(syn, { extensions: [{ kind }] }))).toBe('yes');
      expect(answer(dport, six(syn, { extensions: [{ kind }, { kind }] }))).toBe('yes');
    },
  );

  test('extension header numbers never match', () => {
    const packet = six(syn, { extensions: [{ kind: 'fragment' }] });
    expect(answer('-p 44', packet)).toBe('no');
    expect(answer('! -p 44', packet)).toBe('yes');
    for (const protocol of [PROTOCOL.esp, PROTOCOL.none, PROTOCOL.mobility])
      expect(answer(`-p ${protocol}`, six(raw(protocol, new Uint8Array(8))))).toBe('yes');
  });

  test('a header that cannot be read drops the packet at the first rule with -p', () => {
    const packet = six(syn, { extensions: [{ kind: 'hopByHop' }], cut: 1 });
    expect(answer('-p udp', packet)).toBe('hotdrop');
    expect(answer('! -p udp', packet)).toBe('hotdrop');
    expect(answer('-p all', packet)).toBe('hotdrop');
    expect(answer('-s ::/0', packet)).toBe('yes');
    expect(answer('-s ::1 -p udp', packet)).toBe('no');
  });

  test('a length past the end: the next number matches -p, its header does not exist', () => {
    const packet = six(syn, { extensions: [{ kind: 'hopByHop', length: 255 }] });
    expect(answer('-p tcp', packet)).toBe('yes');
    expect(answer(dport, packet)).toBe('hotdrop');
  });

  test('later fragments', () => {
    const packet = six(syn, { extensions: [{ kind: 'fragment', offset: 1 }] });
    expect(answer('-p tcp', packet)).toBe('yes');
    expect(answer(dport, packet)).toBe('no');
    expect(answer('-p tcp -m multiport ! --dports 1', packet)).toBe('no');
    const odd = six(syn, { extensions: [{ kind: 'fragment', offset: 1 }, { kind: 'destination' }] });
    expect(answer('-p tcp', odd)).toBe('hotdrop');
    expect(answer('-m mark --mark 0', odd)).toBe('yes');
  });
});

describe('what is known about a packet', () => {
  const ct: ConntrackView = {
    status: 0,
    mark: 5,
    expires: 60,
    protonum: 6,
    original: { saddr: 1n, daddr: 2n, sport: 3, dport: 4 },
    reply: { saddr: 2n, daddr: 1n, sport: 4, dport: 3 },
  };
  const tracked = (ctInfo: number, more: Partial<ConntrackView> = {}) =>
    four(syn, {}, { ctInfo, ct: { ...ct, ...more } });
  const none = four(syn);
  const untracked = four(syn, {}, { ctInfo: 7 });

  test.each([
    ['-m conntrack --ctstate NEW', tracked(2), 'yes'],
    ['-m conntrack --ctstate ESTABLISHED', tracked(0), 'yes'],
    ['-m conntrack --ctstate ESTABLISHED', tracked(3), 'yes'],
    ['-m conntrack --ctstate RELATED', tracked(4), 'yes'],
    ['-m conntrack --ctstate DNAT', tracked(0, { status: 0x20 }), 'yes'],
    ['-m conntrack ! --ctstate SNAT', tracked(0, { status: 0x10 }), 'no'],
    ['-m conntrack --ctstate INVALID', none, 'yes'],
    ['-m conntrack --ctstate UNTRACKED', untracked, 'yes'],
    ['-m conntrack --ctstate INVALID', untracked, 'no'],
    ['-m conntrack --ctstate INVALID --ctproto 17', none, 'yes'],
    ['-m conntrack ! --ctproto 17', none, 'no'],
    ['-m conntrack ! --ctproto 17', tracked(0), 'yes'],
    ['-m conntrack --ctexpire 1:60', tracked(0), 'yes'],
    ['-m state --state UNTRACKED', untracked, 'yes'],
    ['-m state --state INVALID', none, 'yes'],
    ['-m connmark --mark 5', tracked(0), 'yes'],
    ['-m connmark ! --mark 5', none, 'no'],
    ['-m connmark --mark 0x4/0x6', tracked(0), 'yes'],
    ['-m mark ! --mark 1/1', none, 'yes'],
    ['-m mark --mark 0x80000000', four(syn, {}, { mark: 0x8000_0000 }), 'yes'],
    ['-m length --length 40', none, 'yes'],
    ['-m length ! --length 41:', none, 'yes'],
    ['-m length --length 40', four(syn, { totalLength: 39 }), 'no'],
    ['-m ttl --ttl-gt 63', none, 'yes'],
    ['-m pkttype --pkt-type broadcast', four(syn, {}, { pkttype: 1 }), 'yes'],
    ['-m pkttype --pkt-type broadcast', four(syn, { destination: '127.0.0.1' }, { pkttype: 5 }), 'yes'],
    ['-m pkttype --pkt-type multicast', four(syn, { destination: '224.0.0.1' }, { pkttype: 5 }), 'yes'],
    [
      '-m mac --mac-source 02:00:00:00:00:01',
      four(syn, {}, { mac: Uint8Array.of(9, 9, 9, 9, 9, 9, 2, 0, 0, 0, 0, 1, 8, 0) }),
      'yes',
    ],
    ['-m mac ! --mac-source 02:00:00:00:00:01', none, 'no'],
    ['-m iprange --src-range 192.0.2.0-192.0.2.1 ! --dst-range 192.0.2.3-192.0.2.9', none, 'yes'],
  ] as const)('%s: case %# is %s', (rule, packet, expected) => {
    expect(answer(rule, packet)).toBe(expected);
  });

  test.each([
    ['--uid-owner 5', undefined, 'no'],
    ['! --uid-owner 5', undefined, 'yes'],
    ['! --uid-owner 5 --gid-owner 6', undefined, 'no'],
    ['--socket-exists', {}, 'yes'],
    ['--uid-owner 4-5', { file: { uid: 5, gid: 0 } }, 'yes'],
  ] as const)('owner %s: case %#', (options, socket, expected) => {
    const packet = four(syn, {}, socket === undefined ? {} : { socket });
    expect(answer(`-m owner ${options}`, packet, 'OUTPUT')).toBe(expected);
  });
});

test('counted packets are whole aggregates', () => {
  const families: readonly Family[] = ['ipv4', 'ipv6'];
  for (const family of families)
    expect((family === 'ipv4' ? four(syn) : six(syn)).skbLength).toBe(family === 'ipv4' ? 40 : 60);
  expect(answer('-m length --length 5000', four(syn, { totalLength: 0 }, { gsoTcp: true, skbLength: 5000 }))).toBe(
    'yes',
  );
});
