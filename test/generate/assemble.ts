/** From field values to a packet that has them, as far as a packet can. */

import { internetChecksum } from '../../src/packet/checksum.ts';
import { ETHERTYPE, type ExtensionHeader, ethernet, ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family, Hook } from '../../src/packet/netfilter.ts';
import { icmp, join, type Payload, PROTOCOL, raw, sctp, tcp, udp, udplite } from '../../src/packet/transport.ts';
import type { FieldName } from '../../src/policy/fields.ts';
import { type PacketView, packetView, transportOf } from '../../src/policy/packet-view.ts';
import { assembleConntrackExtras, assembleEnvironment } from './assemble-environment.ts';
import type { Assignment } from './assignment.ts';
import { HAS_IN, HAS_OUT } from './packet.ts';

/** Longer packets than this are not built; a length field can still say so. */
const MAX_LENGTH = 9000;
/** Who sends frames where nothing is said of it. */
const SENDER = 0x0200_0000_0001n;

/** A packet at `hook` with the assigned fields; all others have quiet values. */
export function assemble(family: Family, hook: Hook, assignment: Assignment): PacketView {
  const get = (field: FieldName): bigint | undefined => assignment.fields.get(field);
  const number = (field: FieldName, otherwise: number): number => Number(get(field) ?? BigInt(otherwise));
  const whole = family === 'ipv4' ? assembleIpv4(assignment) : assembleIpv6(assignment);
  const bytes = resize(family, putBytes(family, whole, assignment), assignment);
  const conntrack = assembleConntrack(assignment);
  return packetView({
    family,
    bytes,
    mark: number('meta.mark', 0),
    pkttype: number('meta.pkttype', 0),
    routeDstType: number('route.dstType', 1),
    ...(HAS_IN.has(hook)
      ? { in: { name: deviceName(get('meta.iifname')), ifindex: 2, group: number('meta.iifgroup', 0) } }
      : {}),
    ...(HAS_OUT.has(hook)
      ? { out: { name: deviceName(get('meta.oifname')), ifindex: 3, group: number('meta.oifgroup', 0) } }
      : {}),
    ...assembleMac(family, hook, assignment),
    ...conntrack,
    ...assembleSocket(assignment),
    ...assembleEnvironment(assignment),
  });
}

function assembleIpv4(assignment: Assignment): Uint8Array {
  const { fields } = assignment;
  return ipv4(
    {
      ...given('source', fields.get('ip.saddr')),
      ...given('destination', fields.get('ip.daddr')),
      ...given('ttl', fields.get('ip.ttl')),
      ...given('tos', fields.get('ip.tos')),
      ...given('fragmentOffset', fields.get('ip.fragOffset')),
      ...given('totalLength', fields.get('ip.totalLength')),
    },
    payloadOf(fields.get('ip.protocol'), 'ipv4', assignment),
  );
}

function assembleIpv6(assignment: Assignment): Uint8Array {
  const { fields } = assignment;
  const extensions: ExtensionHeader[] = [];
  const offset = fields.get('ip6.fragOffset');
  if (offset !== undefined && offset !== 0n) extensions.push({ kind: 'fragment', offset: offset / 8n, id: 1 });
  const broken = fields.get('ip6.chain') === 1n;
  if (broken) extensions.push({ kind: 'hopByHop' });
  return ipv6(
    {
      ...given('source', ipv6Source(assignment)),
      ...given('destination', fields.get('ip6.daddr')),
      ...given('hopLimit', fields.get('ip6.hopLimit')),
      extensions,
      ...(broken ? { cut: 1 } : {}),
    },
    payloadOf(fields.get('ip6.protocol'), 'ipv6', assignment),
  );
}

function ipv6Source({ fields }: Assignment): bigint | undefined {
  const source = fields.get('ip6.saddr');
  if (fields.get('mac.eui64') !== 1n) return source;
  const network = (source ?? 0x20010db8_00000000_00000000_00000000n) >> 64n;
  return (network << 64n) | identifierOf(fields.get('mac.saddr') ?? SENDER);
}

function payloadOf(protocol: bigint | undefined, family: Family, { fields, tcpOptions }: Assignment): Payload {
  const ports = {
    ...given('source', fields.get('transport.sport')),
    ...given('destination', fields.get('transport.dport')),
  };
  switch (Number(protocol ?? BigInt(PROTOCOL.tcp))) {
    case PROTOCOL.tcp: {
      const headerLength = fields.get('tcp.headerLength');
      return tcp({
        ...ports,
        ...given('flags', fields.get('tcp.flags')),
        options: Uint8Array.from(tcpOptions.flatMap((kind) => (kind < 2 ? [kind] : [kind, 2]))),
        // The option test asks for 0 when it has nothing to look at; the builder's own value is the better one then.
        ...given('dataOffset', tcpOptions.length > 0 || headerLength === undefined ? undefined : headerLength / 4n),
      });
    }
    case PROTOCOL.udp:
      return udp(ports);
    case PROTOCOL.udplite:
      return udplite(ports);
    case PROTOCOL.sctp:
      return sctp(ports);
    case PROTOCOL.icmp:
    case PROTOCOL.icmpv6: {
      const fieldsOfIcmp = { ...given('type', fields.get('icmp.type')), ...given('code', fields.get('icmp.code')) };
      const own = family === 'ipv4' ? PROTOCOL.icmp : PROTOCOL.icmpv6;
      return Number(protocol) === own ? icmp(fieldsOfIcmp) : raw(Number(protocol), new Uint8Array(8));
    }
    default:
      return raw(Number(protocol), udpBytes(ports));
  }
}

/** Ports at the place where most protocols have them. */
function udpBytes(ports: { readonly source?: number | bigint; readonly destination?: number | bigint }): Uint8Array {
  const place = { family: 'ipv4', source: new Uint8Array(4), destination: new Uint8Array(4) } as const;
  return join(udp(ports)(place).bytes, new Uint8Array(8));
}

/** Longest packet that an assigned byte may make. */
const MAX_GROWTH = 2000;

/** Puts the assigned bytes in their places; the packet grows as far as they need. */
function putBytes(family: Family, packet: Uint8Array, { bytes, fields }: Assignment): Uint8Array {
  if (bytes.size === 0) return packet;
  const transport = transportOf(packetView({ family, bytes: packet })).offset;
  const places = [...bytes].flatMap(([key, value]) => {
    const [base, offset] = key.split(' ');
    const at = Number(offset) + (base === 'transport' ? transport : 0);
    return at < MAX_GROWTH ? [{ at, value }] : [];
  });
  const out = new Uint8Array(Math.max(packet.length, ...places.map(({ at }) => at + 1)));
  out.set(packet);
  const view = new DataView(out.buffer);
  if (family === 'ipv6') view.setUint16(4, out.length - 40);
  else if (!fields.has('ip.totalLength')) view.setUint16(2, out.length);
  for (const { at, value } of places) out[at] = value;
  return family === 'ipv4' ? withHeaderChecksum(out) : out;
}

/** Cuts or fills the packet to the assigned length, of the whole or of what follows the network headers. */
function resize(family: Family, bytes: Uint8Array, { fields }: Assignment): Uint8Array {
  const transport = fields.get('transport.length');
  const { offset, broken, fragOffset } = transportOf(packetView({ family, bytes }));
  const known = transport !== undefined && !broken && (family === 'ipv4' || fragOffset === 0);
  const wanted = known ? BigInt(offset) + transport : fields.get('meta.length');
  if (wanted === undefined || wanted > BigInt(MAX_LENGTH)) return bytes;
  const length = Math.max(Number(wanted), family === 'ipv4' ? 20 : 40);
  const out = new Uint8Array(length);
  out.set(bytes.subarray(0, length));
  // The length in the header follows, unless it is itself what is being tested.
  if (family === 'ipv4' && !fields.has('ip.totalLength')) new DataView(out.buffer).setUint16(2, length);
  if (family === 'ipv6') new DataView(out.buffer).setUint16(4, length - 40);
  return family === 'ipv4' ? withHeaderChecksum(out) : out;
}

function withHeaderChecksum(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer);
  const header = bytes.subarray(0, (bytes[0]! & 15) * 4);
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(header));
  return bytes;
}

function assembleConntrack(assignment: Assignment): Partial<PacketView> {
  const { fields } = assignment;
  const get = (field: FieldName): bigint | undefined => fields.get(field);
  const number = (field: FieldName): number => Number(get(field) ?? 0n);
  const asked = [...fields.keys()].some((field) => field.startsWith('ct.'));
  const info = number('ct.info') & 7;
  if (!asked || get('ct.present') === 0n || info === 7) return { ctInfo: info };
  const tuple = (side: 'orig' | 'repl'): NonNullable<PacketView['ct']>['original'] => ({
    saddr: get(`ct.${side}.saddr`) ?? 0n,
    daddr: get(`ct.${side}.daddr`) ?? 0n,
    sport: number(`ct.${side}.sport`),
    dport: number(`ct.${side}.dport`),
  });
  return {
    ctInfo: info,
    ct: {
      status: number('ct.status'),
      mark: number('ct.mark'),
      expires: number('ct.expires'),
      protonum: number('ct.protonum'),
      original: tuple('orig'),
      reply: tuple('repl'),
      ...assembleConntrackExtras(assignment),
    },
  };
}

function assembleSocket({ fields }: Assignment): Partial<PacketView> {
  const asked = fields.has('socket.uid') || fields.has('socket.gid');
  const state = fields.get('socket.state') ?? (asked ? 2n : 0n);
  if (state === 0n) return {};
  if (state === 1n) return { socket: {} };
  return {
    socket: { file: { uid: Number(fields.get('socket.uid') ?? 0n), gid: Number(fields.get('socket.gid') ?? 0n) } },
  };
}

function assembleMac(family: Family, hook: Hook, { fields }: Assignment): Pick<PacketView, 'mac' | 'ethernet'> {
  if (!HAS_IN.has(hook)) return {};
  if (fields.get('mac.eui64') === 2n) return { ethernet: true };
  if (fields.get('mac.present') === 0n) return {};
  const source = fields.get('mac.saddr') ?? SENDER;
  return { mac: ethernet({ source, type: ETHERTYPE[family] }, new Uint8Array(1)).subarray(0, 14) };
}

/** The interface identifier that IPv6 makes of an Ethernet address (RFC 4291, appendix A). */
function identifierOf(mac: bigint): bigint {
  return ((mac >> 24n) << 40n) ^ 0x0200_00ff_fe00_0000n ^ (mac & 0xff_ffffn);
}

/** The text of 16 name bytes up to the NUL; bytes that no name can have become `x`. */
function deviceName(value: bigint | undefined): string {
  if (value === undefined) return 'eth0';
  const characters = Array.from({ length: 15 }, (_, at) => Number((value >> BigInt(8 * (15 - at))) & 0xffn));
  const end = characters.indexOf(0);
  const name = characters
    .slice(0, end === -1 ? 15 : end)
    .map((code) => (code > 0x20 && code < 0x7f && code !== 0x2f && code !== 0x3a ? String.fromCharCode(code) : 'x'))
    .join('');
  return name === '' ? 'x' : name;
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}
