import { formatAddress } from './address.ts';
import { readHeaderField } from './headers.ts';
import type { Family } from './netfilter.ts';
import { PROTOCOL, TCP_FLAGS } from './transport.ts';

/**
 * A packet in one line, for messages: `IPv4 10.0.0.1 > 10.0.0.2 tcp 1024 > 80 [SYN] ttl 64 len 40`. Says only what can be
 * read; never fails, whatever the bytes are.
 */
export function describePacket(bytes: Uint8Array, family: Family): string {
  return family === 'ipv4' ? describeIpv4(bytes) : describeIpv6(bytes);
}

function describeIpv4(bytes: Uint8Array): string {
  const field = (name: Parameters<typeof readHeaderField<'ipv4'>>[2]): bigint =>
    readHeaderField(bytes, 'ipv4', name) ?? 0n;
  const offset = Number(field('fragmentOffset'));
  const ihl = Number(field('ihl')) * 4;
  return words(
    'IPv4',
    route(field('source'), field('destination'), 'ipv4'),
    fragmentWords(offset * 8, field('moreFragments') === 1n),
    transportWords(Number(field('protocol')), offset === 0 ? bytes.subarray(ihl) : undefined),
    `ttl ${field('ttl')}`,
    lengthWords(bytes.length, Number(field('totalLength'))),
    field('version') === 4n ? '' : `version ${field('version')}`,
    ihl === 20 ? '' : `ihl ${ihl / 4}`,
  );
}

function describeIpv6(bytes: Uint8Array): string {
  const field = (name: Parameters<typeof readHeaderField<'ipv6'>>[2]): bigint =>
    readHeaderField(bytes, 'ipv6', name) ?? 0n;
  const { chain, protocol, rest } = walkExtensions(bytes.subarray(40), Number(field('nextHeader')));
  return words(
    'IPv6',
    route(field('source'), field('destination'), 'ipv6'),
    ...chain,
    transportWords(protocol, rest),
    `hops ${field('hopLimit')}`,
    lengthWords(bytes.length, Number(field('payloadLength')) + 40),
    field('version') === 6n ? '' : `version ${field('version')}`,
  );
}

function walkExtensions(
  bytes: Uint8Array,
  first: number,
): { chain: readonly string[]; protocol: number; rest: Uint8Array | undefined } {
  const chain: string[] = [];
  let rest = bytes;
  let protocol = first;
  for (;;) {
    const next = rest[0];
    const length = rest[1];
    const kind = EXTENSIONS.get(protocol);
    if (kind === undefined) return { chain, protocol, rest };
    if (next === undefined || length === undefined)
      return { chain: [...chain, kind, '(cut)'], protocol: -1, rest: undefined };
    if (protocol === PROTOCOL.fragment) {
      const offset = Number(readHeaderField(rest, 'fragment', 'offset') ?? 0n) * 8;
      chain.push(fragmentWords(offset, readHeaderField(rest, 'fragment', 'more') === 1n) || 'atomic fragment');
      if (offset !== 0) return { chain, protocol: next, rest: undefined };
      rest = rest.subarray(8);
    } else {
      chain.push(kind);
      rest = rest.subarray(protocol === PROTOCOL.ah ? (length + 2) * 4 : (length + 1) * 8);
    }
    protocol = next;
  }
}

const EXTENSIONS: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.hopByHop, 'hop-by-hop'],
  [PROTOCOL.routing, 'routing'],
  [PROTOCOL.fragment, 'fragment'],
  [PROTOCOL.ah, 'ah'],
  [PROTOCOL.destination, 'destination-options'],
]);

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(PROTOCOL).map(([name, number]) => [number, name.toLowerCase()]),
);

/** `rest` begins with the transport header; absent in later fragments. */
function transportWords(protocol: number, rest: Uint8Array | undefined): string {
  if (protocol < 0) return '';
  const name = NAMES.get(protocol) ?? `protocol ${protocol}`;
  if (rest === undefined) return name;
  switch (protocol) {
    case PROTOCOL.tcp:
      return words(name, ports(rest), tcpFlags(rest), rest.length < 20 ? `(${rest.length} bytes)` : '');
    case PROTOCOL.udp:
    case PROTOCOL.udplite:
    case PROTOCOL.sctp:
    case PROTOCOL.dccp:
      return words(name, ports(rest), rest.length < 8 ? `(${rest.length} bytes)` : '');
    case PROTOCOL.icmp:
    case PROTOCOL.icmpv6:
      return rest.length < 2 ? `${name} (${rest.length} bytes)` : `${name} type ${rest[0]} code ${rest[1]}`;
    default:
      return name;
  }
}

function ports(rest: Uint8Array): string {
  const source = readHeaderField(rest, 'udp', 'source');
  const destination = readHeaderField(rest, 'udp', 'destination');
  return source === undefined || destination === undefined ? '' : `${source} > ${destination}`;
}

function tcpFlags(rest: Uint8Array): string {
  const flags = Number(readHeaderField(rest, 'tcp', 'flags') ?? 0n);
  const names = Object.entries(TCP_FLAGS).filter(([, bit]) => (flags & bit) !== 0);
  return rest.length < 14 ? '' : `[${names.map(([name]) => name).join(' ')}]`;
}

function fragmentWords(offset: number, more: boolean): string {
  if (offset === 0) return more ? 'first fragment' : '';
  return `${more ? 'middle' : 'last'} fragment at ${offset}`;
}

function lengthWords(present: number, stated: number): string {
  return present === stated ? `len ${present}` : `len ${present} (says ${stated})`;
}

function route(source: bigint, destination: bigint, family: Family): string {
  return `${formatAddress(source, family)} > ${formatAddress(destination, family)}`;
}

function words(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}
