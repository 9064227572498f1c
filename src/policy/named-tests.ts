/** What `recent` and `hashlimit` take from a packet. */

import type { Family } from '../packet/netfilter.ts';
import type { FieldName } from './fields.ts';
import { type HashlimitMemory, hashlimitKey, useHashlimit } from './hashlimit.ts';
import type { StatefulTest } from './ir.ts';
import { type PacketView, readField } from './packet-view.ts';
import { type RecentList, useRecentList } from './recent.ts';

type TestOf<K extends StatefulTest['kind']> = StatefulTest & { readonly kind: K };

const ADDRESSES = {
  ipv4: { source: 'ip.saddr', destination: 'ip.daddr' },
  ipv6: { source: 'ip6.saddr', destination: 'ip6.daddr' },
} as const satisfies Record<Family, Record<string, FieldName>>;

const TTL = { ipv4: 'ip.ttl', ipv6: 'ip6.hopLimit' } as const;
const ADDRESS_BITS = { ipv4: 32, ipv6: 128 } as const;

/** The fields that a stateful test reads. */
export function fieldsOfStateful(test: StatefulTest, family: Family): readonly FieldName[] {
  const addresses = ADDRESSES[family];
  switch (test.kind) {
    case 'limit':
    case 'nth':
    case 'random':
    case 'staged':
      return [];
    case 'quota':
      return ['meta.length'];
    case 'recent':
      return [addresses[test.side], TTL[family], 'socket.own'];
    case 'hashlimit': {
      const ports: readonly FieldName[] = test.ports ? ['transport.sport', 'transport.dport'] : [];
      const later: readonly FieldName[] = test.ports && family === 'ipv6' ? ['ip6.fragOffset'] : [];
      return [addresses.source, addresses.destination, 'meta.length', ...ports, ...later];
    }
  }
}

export function runRecent(test: TestOf<'recent'>, list: RecentList, packet: PacketView, hz: number): boolean {
  const { family } = packet;
  // Forwarding has taken one off already; what a socket of ours sends has not been forwarded.
  const forwarded = packet.out !== undefined && readField(packet, 'socket.own') === 0n;
  const ttl = Number(readField(packet, TTL[family])) + (forwarded ? 1 : 0);
  const address = readField(packet, ADDRESSES[family][test.side]);
  return useRecentList(list, test.question, { family, address, ttl: ttl & 0xff, now: packet.now }, hz);
}

export function runHashlimit(
  test: TestOf<'hashlimit'>,
  memory: HashlimitMemory,
  packet: PacketView,
): boolean | 'hotdrop' {
  const { family } = packet;
  // IPv6 (ipv6_skip_exthdr): a later fragment has no ports. IPv4 reads them wherever the header ends.
  const later = family === 'ipv6' && readField(packet, 'ip6.fragOffset') !== 0n;
  const ports = test.ports && !later;
  const key = hashlimitKey(
    memory.table,
    {
      saddr: readField(packet, ADDRESSES[family].source),
      daddr: readField(packet, ADDRESSES[family].destination),
      sport: ports ? Number(readField(packet, 'transport.sport')) : 0,
      dport: ports ? Number(readField(packet, 'transport.dport')) : 0,
    },
    ADDRESS_BITS[family],
  );
  return useHashlimit(memory, key, packet.skbLength, packet.now);
}
