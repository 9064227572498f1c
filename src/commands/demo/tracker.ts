/** A connection tracker of a few lines for the demonstration's capture: enough for NEW, ESTABLISHED and INVALID. */
import { bytesToInteger, parseAddress } from '../../packet/address.ts';
import type { Family, Hook } from '../../packet/netfilter.ts';
import { type ConntrackView, type PacketView, packetView } from '../../policy/packet-view.ts';
import { ADDRESSES } from './scenes.ts';

/** enum ip_conntrack_info. */
const CT = { established: 0, new: 2, establishedReply: 3 } as const;
/** IPS_SEEN_REPLY and IPS_CONFIRMED. */
const STATUS = { seenReply: 2, confirmed: 8 } as const;
const PORTED: readonly number[] = [6, 17];
const RTN_LOCAL = 2;
const RTN_UNICAST = 1;
const DEVICE = { name: 'eth0', ifindex: 2 } as const;

interface Flow {
  readonly key: string;
  replied: boolean;
}

/** Returns a function that gives each packet, in order, its hook and everything that the hook knows about it. */
export function createTracker(family: Family): (bytes: Uint8Array) => { hook: Hook; view: PacketView } {
  const flows = new Map<string, Flow>();
  const server = parseAddress(ADDRESSES[family].server, family);
  return (bytes) => {
    const { source, destination, protocol, ports, id } = read(bytes, family);
    const sent = source === server;
    const key = `${protocol} ${source} ${destination} ${ports?.join(' ') ?? id}`;
    const reverse = `${protocol} ${destination} ${source} ${ports?.toReversed().join(' ') ?? id}`;
    const base = {
      family,
      bytes,
      routeDstType: destination === server ? RTN_LOCAL : RTN_UNICAST,
      ...(sent ? { out: DEVICE } : { in: DEVICE }),
    };
    const hook: Hook = sent ? 'OUTPUT' : 'INPUT';
    // Ports that are not there: the packet belongs to no connection, and that is INVALID.
    if (PORTED.includes(protocol) && ports === undefined) return { hook, view: packetView(base) };
    const known = flows.get(key) ?? flows.get(reverse);
    const flow = known ?? { key, replied: false };
    flows.set(flow.key, flow);
    const isReply = flow.key === reverse && flow.key !== key;
    flow.replied ||= isReply;
    const ctInfo = isReply ? CT.establishedReply : flow.replied ? CT.established : CT.new;
    const [sport = 0, dport = 0] = ports ?? [];
    const there = { saddr: source, daddr: destination, sport, dport };
    const back = { saddr: destination, daddr: source, sport: dport, dport: sport };
    const ct: ConntrackView = {
      status: known === undefined ? 0 : STATUS.confirmed | (flow.replied ? STATUS.seenReply : 0),
      mark: 0,
      expires: 30,
      protonum: protocol,
      original: isReply ? back : there,
      reply: isReply ? there : back,
    };
    return { hook, view: packetView({ ...base, ctInfo, ct }) };
  };
}

function read(bytes: Uint8Array, family: Family) {
  const [at, length, transport] = family === 'ipv4' ? [12, 4, 20] : [8, 16, 40];
  const protocol = bytes[family === 'ipv4' ? 9 : 6] ?? 0;
  const whole = bytes.length >= transport + (protocol === 6 ? 20 : 8);
  const port = (offset: number): number => (bytes[transport + offset]! << 8) | bytes[transport + offset + 1]!;
  return {
    source: bytesToInteger(bytes.subarray(at, at + length)),
    destination: bytesToInteger(bytes.subarray(at + length, at + 2 * length)),
    protocol,
    /** Of an echo. */
    id: port(4),
    ports: PORTED.includes(protocol) && whole ? ([port(0), port(2)] as const) : undefined,
  };
}
