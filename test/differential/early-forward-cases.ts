/** The same of packets that are forwarded, on their way to FORWARD: see early-gates.test.ts. */

import { udp } from '../../src/packet/transport.ts';
import { type Case, ip, sysctl } from './early-gate-cases.ts';

const BEHIND = { ipv4: '10.78.0.2', ipv6: 'fd78::2' } as const;

export const FORWARD: readonly Case[] = (
  [
    { name: 'a datagram', family: 'ipv4', counts: 1, early: true },
    { name: 'a datagram', family: 'ipv6', counts: 1, early: true },
    { name: 'its last hop', family: 'ipv4', fields: { hops: 1 }, counts: 0 },
    { name: 'its last hop', family: 'ipv6', fields: { hops: 1 }, counts: 0 },
    { name: 'its last but one', family: 'ipv4', fields: { hops: 2 }, counts: 1, early: true },
    { name: 'out where it came in', family: 'ipv4', fields: { destination: '10.77.0.9' }, counts: 1 },
    { name: 'nowhere', family: 'ipv4', fields: { destination: '10.99.0.1' }, counts: 0 },
    { name: 'from a link-local address', family: 'ipv6', fields: { source: 'fe80::9' }, counts: 0 },
    {
      name: 'longer than the device takes',
      family: 'ipv4',
      payload: udp({ data: new Uint8Array(1400) }),
      fields: { dontFragment: true },
      counts: 0,
      before: ip('link set f1 mtu 1280'),
      after: ip('link set f1 mtu 1500'),
    },
    {
      name: 'longer than the device takes',
      family: 'ipv6',
      payload: udp({ data: new Uint8Array(1300) }),
      counts: 0,
      before: ip('link set f1 mtu 1280'),
      after: ip('link set f1 mtu 1500'),
    },
    {
      name: 'forwarding off',
      family: 'ipv4',
      counts: 0,
      before: [sysctl('ipv4.conf.f0.forwarding', 0)],
      after: [sysctl('ipv4.conf.f0.forwarding', 1)],
    },
    {
      name: 'a policy of IPsec',
      family: 'ipv4',
      counts: 0,
      before: ip('xfrm policy add dir fwd src 0.0.0.0/0 dst 0.0.0.0/0 action block'),
      after: ip('xfrm policy del dir fwd src 0.0.0.0/0 dst 0.0.0.0/0'),
    },
    {
      name: 'a policy of IPsec on the way out',
      family: 'ipv4',
      counts: 0,
      before: ip('xfrm policy add dir out src 0.0.0.0/0 dst 0.0.0.0/0 action block'),
      after: ip('xfrm policy del dir out src 0.0.0.0/0 dst 0.0.0.0/0'),
    },
    {
      name: 'neighbours answered for',
      family: 'ipv6',
      counts: 1,
      before: [sysctl('ipv6.conf.all.proxy_ndp', 1)],
      after: [sysctl('ipv6.conf.all.proxy_ndp', 0)],
    },
    ...(['fwd', 'out'] as const).map(
      (way): Case => ({
        name: `IPsec, which blocks by default: ${way}`,
        family: 'ipv4',
        counts: 0,
        before: ip(`xfrm policy setdefault ${way} block`),
        after: ip(`xfrm policy setdefault ${way} accept`),
      }),
    ),
    {
      name: 'neighbours answered for by the device',
      family: 'ipv6',
      counts: 1,
      before: [sysctl('ipv6.conf.f0.proxy_ndp', 1)],
      after: [sysctl('ipv6.conf.f0.proxy_ndp', 0)],
    },
    {
      name: 'forwarding off',
      family: 'ipv6',
      counts: 0,
      before: [sysctl('ipv6.conf.all.forwarding', 0), sysctl('ipv6.conf.f0.forwarding', 1)],
      after: [sysctl('ipv6.conf.all.forwarding', 1)],
    },
    ...(
      [
        ['0.0.0.9', 1],
        ['224.0.0.9', 0],
      ] as const
    ).map(
      ([destination, counts]): Case => ({
        name: `to ${destination}, by a route`,
        family: 'ipv4',
        fields: { destination },
        counts,
        before: ip('route add default via 10.78.0.2 dev f1'),
        after: ip('route del default'),
      }),
    ),
    {
      name: "somebody else's chain at FORWARD",
      family: 'ipv4',
      counts: 0,
      before: [
        'nft add table inet x',
        "nft 'add chain inet x y { type filter hook forward priority -10; policy drop; }'",
      ],
      after: ['nft delete table inet x'],
    },
    {
      name: 'a rule of routing that refuses it',
      family: 'ipv4',
      counts: 0,
      before: ip('rule add pref 50 iif f0 blackhole'),
      after: ip('rule del pref 50'),
    },
  ] satisfies Case[]
).map((item): Case => ({ ...item, fields: { destination: BEHIND[item.family], ...item.fields } }));
