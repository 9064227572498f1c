/** What surrounds a simulated packet: extras of its conntrack entry, extensions of its sk_buff, IPsec, bridge ports, the clock. */

import type { KernelFacts } from '../../bpf/facts.ts';
import type { Machine } from '../../bpf/vm/machine.ts';
import { mapRegion, type Region } from '../../bpf/vm/memory.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { XfrmStateView } from '../../policy/environment-view.ts';
import type { ConntrackView, PacketView } from '../../policy/packet-view.ts';
import { enumeratorOf, memberPlace } from './context.ts';
import { realtimeOffset, WAY_TO_CLOCK } from './fields/clock.ts';
import type { KernelObject, MakeObject, MapBytes } from './simulate-layout.ts';

/** Byte that fills what no fact speaks of; as an address it belongs to nobody. */
const PATTERN = 0xa5;
const WILD = 0xa5a5a5a5a5a5a5a5n;
/** Where extensions lie in the examples laid out here. */
const CT_PLACES = { accounting: 16, labels: 56, helper: 80, size: 160 } as const;
const SKB_PLACES = { bridge: 16, securityPath: 64, size: 160 } as const;

export interface Tools {
  readonly object: MakeObject;
  readonly map: MapBytes;
  readonly facts: KernelFacts;
}

/** Gives a struct nf_conn its extensions and its master. */
export function layOutConntrackExtras(tools: Tools, entry: KernelObject, ct: ConntrackView): void {
  // A helper of its own must not be taken for its master's.
  entry.set('nf_conn.ext', layOutCtExtensions(tools, ct, 'own-helper'));
  if (ct.helper === undefined) return;
  const master = tools.object('nf_conn');
  master.set('nf_conn.ext', layOutCtExtensions(tools, undefined, ct.helper));
  entry.set('nf_conn.master', master.address);
}

function layOutCtExtensions({ object, map, facts }: Tools, ct: ConntrackView | undefined, helper: string): bigint {
  const bytes = new Uint8Array(CT_PLACES.size).fill(PATTERN);
  const view = new DataView(bytes.buffer);
  const offsets = memberPlace(facts, 'nf_ct_ext.offset');
  bytes.fill(0, offsets.offset, offsets.offset + offsets.size);
  const place = (id: Parameters<typeof enumeratorOf>[1], at: number): void => {
    bytes[offsets.offset + enumeratorOf(facts, id)] = at;
  };
  if (ct?.counts !== undefined) {
    place('nf_ct_ext_id.NF_CT_EXT_ACCT', CT_PLACES.accounting);
    const counters = memberPlace(facts, 'nf_conn_acct.counter');
    [ct.counts.original, ct.counts.reply].forEach((count, index) => {
      const at = CT_PLACES.accounting + counters.offset + (index * counters.size) / 2;
      view.setBigUint64(at + memberPlace(facts, 'nf_conn_counter.packets').offset, count.packets, true);
      view.setBigUint64(at + memberPlace(facts, 'nf_conn_counter.bytes').offset, count.bytes, true);
    });
  }
  if (ct?.labels !== undefined) {
    place('nf_ct_ext_id.NF_CT_EXT_LABELS', CT_PLACES.labels);
    const at = CT_PLACES.labels + memberPlace(facts, 'nf_conn_labels.bits').offset;
    view.setBigUint64(at, BigInt.asUintN(64, ct.labels), true);
    view.setBigUint64(at + 8, ct.labels >> 64n, true);
  }
  place('nf_ct_ext_id.NF_CT_EXT_HELPER', CT_PLACES.helper);
  const named = object('nf_conntrack_helper');
  named.setBytes('nf_conntrack_helper.name', 0, new TextEncoder().encode(helper));
  view.setBigUint64(CT_PLACES.helper + memberPlace(facts, 'nf_conn_help.helper').offset, named.address, true);
  return map('struct nf_ct_ext', bytes).base;
}

/** Gives an sk_buff its extensions. */
export function layOutSkbExtensions(tools: Tools, skb: KernelObject, net: KernelObject, view: PacketView): void {
  const { facts, map, object } = tools;
  const bytes = new Uint8Array(SKB_PLACES.size).fill(PATTERN);
  const data = new DataView(bytes.buffer);
  let active = 0;
  const place = (id: Parameters<typeof enumeratorOf>[1], at: number): void => {
    const number = enumeratorOf(facts, id);
    active |= 1 << number;
    bytes[memberPlace(facts, 'skb_ext.offset').offset + number] = at / 8;
  };
  if (view.bridge !== undefined) {
    place('skb_ext_id.SKB_EXT_BRIDGE_NF', SKB_PLACES.bridge);
    const put = (name: 'physinif' | 'physoutdev'): number =>
      SKB_PLACES.bridge + memberPlace(facts, `nf_bridge_info.${name}`).offset;
    data.setInt32(put('physinif'), IN_PORT, true);
    const out = view.bridge.out === undefined ? 0n : layOutPort(tools, view.bridge.out, OUT_PORT).address;
    data.setBigUint64(put('physoutdev'), out, true);
    layOutDeviceTable(tools, net, view.bridge.in);
  }
  if (view.xfrmIn !== undefined) {
    place('skb_ext_id.SKB_EXT_SEC_PATH', SKB_PLACES.securityPath);
    const states = view.xfrmIn.map((state) => layOutState(object, state, view.family));
    data.setInt32(SKB_PLACES.securityPath + memberPlace(facts, 'sec_path.len').offset, states.length, true);
    states.forEach((address, depth) => {
      const at = memberPlace(facts, 'sec_path.xvec').offset + 8 * (states.length - 1 - depth);
      data.setBigUint64(SKB_PLACES.securityPath + at, address, true);
    });
  }
  skb.set('sk_buff.active_extensions', active);
  skb.set('sk_buff.extensions', active === 0 ? WILD : map('struct skb_ext', bytes).base);
}

/** Numbers of the ports; another device has a number in the same bucket. */
const [IN_PORT, OUT_PORT, BUCKETS] = [77, 78, 256];

function layOutPort({ object }: Tools, name: string, ifindex: number): KernelObject {
  const device = object('net_device');
  device.set('net_device.ifindex', ifindex);
  device.setBytes('net_device.name', 0, new TextEncoder().encode(name));
  return device;
}

/** The table of devices by number; without a name there is none of the number that the packet came by. */
function layOutDeviceTable(tools: Tools, net: KernelObject, name: string | undefined): void {
  const node = memberPlace(tools.facts, 'net_device.index_hlist').offset;
  const table = tools.map('dev_index_head', new Uint8Array(BUCKETS * 8));
  const other = layOutPort(tools, 'other', IN_PORT + BUCKETS);
  table.view.setBigUint64(IN_PORT * 8, other.address + BigInt(node), true);
  const next = new Uint8Array(8);
  if (name !== undefined) {
    const port = layOutPort(tools, name, IN_PORT);
    new DataView(next.buffer).setBigUint64(0, port.address + BigInt(node), true);
  }
  other.setBytes('net_device.index_hlist', 0, next);
  net.set('net.dev_index_head', table.base);
}

function layOutState(object: MakeObject, state: XfrmStateView, family: Family): bigint {
  const result = object('xfrm_state');
  const length = family === 'ipv4' ? 4 : 16;
  const bytes = (value: bigint, count: number): Uint8Array =>
    Uint8Array.from({ length: count }, (_, at) => Number((value >> BigInt(8 * (count - 1 - at))) & 0xffn));
  result.setBytes('xfrm_state.id.spi', 0, bytes(BigInt(state.spi), 4));
  result.setBytes('xfrm_state.id.daddr', 0, bytes(state.daddr, length));
  result.setBytes('xfrm_state.props.saddr', 0, bytes(state.saddr, length));
  result.set('xfrm_state.id.proto', state.proto);
  result.set('xfrm_state.props.mode', state.mode);
  result.set('xfrm_state.props.reqid', state.reqid);
  return result.address;
}

/** Gives a route its realm and, one after the other, what it will do to the packet. */
export function layOutRouteExtras({ object }: Tools, route: KernelObject, view: PacketView): void {
  route.set('dst_entry.tclassid', view.realm ?? 0);
  let at = route;
  for (const state of view.xfrmOut ?? []) {
    const child = object('dst_entry', 'xfrm_dst');
    at.set('dst_entry.xfrm', layOutState(object, state, view.family));
    at.set('xfrm_dst.child', child.address);
    at = child;
  }
  // A plain route is shorter than that: somebody else's memory.
  at.set('xfrm_dst.child', WILD);
}

const CLOCKS = new WeakMap<Machine, Region>();
const NANOSECONDS = 1_000_000_000n;

/** Makes the running task and what leads from it to the realtime clock's offset. */
export function installClock(machine: Machine, facts: KernelFacts): void {
  const map = (name: string, size: number): Region =>
    mapRegion(machine.memory, name, new Uint8Array(size).fill(PATTERN), { writable: false, strict: false });
  const base = map('struct hrtimer_cpu_base', realtimeOffset({ facts }) + 8);
  CLOCKS.set(machine, base);
  machine.task = [...WAY_TO_CLOCK].reverse().reduce((target, member) => {
    const { offset } = memberPlace(facts, member);
    const region = map(member, offset + 16);
    region.view.setBigUint64(offset, target, true);
    return region.base;
  }, base.base);
}

/** Sets the clock on the wall to the last nanosecond of the packet's second. */
export function setClock(machine: Machine, facts: KernelFacts, view: PacketView): void {
  const offset = BigInt(view.seconds ?? 0) * NANOSECONDS + NANOSECONDS - 1n - machine.environment.nanoseconds();
  CLOCKS.get(machine)?.view.setBigInt64(realtimeOffset({ facts }), offset, true);
}
