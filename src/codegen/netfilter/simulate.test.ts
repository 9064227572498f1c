import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { assembleText } from '../../bpf/text-assembler.ts';
import { bytesAt } from '../../bpf/vm/memory.ts';
import { packetView } from '../../policy/packet-view.ts';
import { type CompiledGeneration, type CompiledHook, MAP_NAMES } from '../compiled.ts';
import { createSimulation, runHook, type SimulatedMaps } from './simulate.ts';
import { layOutPacket, type SimulatedPacket } from './simulate-layout.ts';

const M = REFERENCE_FACTS.members;
const bytes = Uint8Array.from({ length: 40 }, (_, i) => (i === 0 ? 0x45 : i));

function hookOf(text: string): CompiledHook {
  const result = assembleText(text);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  const { insns, relocations } = result.assembled;
  const program = { name: 'test', type: 'netfilter', license: 'GPL', insns, relocations } as const;
  return {
    family: 'ipv4',
    table: 'filter',
    hook: 'INPUT',
    program,
    reject: [],
    answers: [],
    effects: [],
    listLength: 0,
  };
}

function generationOf(...hooks: CompiledHook[]): CompiledGeneration {
  return {
    hooks,
    maps: [{ name: MAP_NAMES.counters, type: 'array', keySize: 4, valueSize: 64, maxEntries: 1 }],
    counters: [{ family: 'ipv4', table: 'filter', first: 1, count: 1 }],
    counterStride: 32,
    named: [],
    needs: { conntrack: [], log: false },
  };
}

function run(text: string, packet: SimulatedPacket) {
  const hook = hookOf(text);
  const generation = generationOf(hook);
  return runHook(generation, hook, packet, createSimulation(generation, REFERENCE_FACTS));
}

describe('a simulated hook', () => {
  it('answers, counts per CPU and logs', () => {
    const hook = hookOf(`
      ldxdw %r6, [%r1+${M['bpf_nf_ctx.skb']!.offset}]
      ldxw %r7, [%r6+${M['sk_buff.len']!.offset}]
      call 8
      lsh %r0, 5
      lddw %r1, value bf_counters+16
      add %r1, %r0
      mov %r2, 1
      lock add [%r1], %r2
      lock add [%r1+8], %r7
      call 118
      stxdw [%r10-8], %r0
      lddw %r1, map bf_events
      mov %r2, %r10
      add %r2, -8
      mov %r3, 8
      mov %r4, 0
      call 130
      mov %r0, 1
      exit`);
    const generation = generationOf(hook);
    const packet = { view: packetView({ family: 'ipv4', bytes, now: 0x1234n }) };
    const simulation = createSimulation(generation, REFERENCE_FACTS, 1);
    const result = runHook(generation, hook, packet, simulation);
    expect(result).toMatchObject({ verdict: 'accept', returned: 1n });
    expect(result.events).toEqual([Uint8Array.of(0x34, 0x12, 0, 0, 0, 0, 0, 0)]);
    expect(runHook(generation, hook, packet, simulation).counters()).toEqual([{ packets: 2n, bytes: 80n }]);
    expect(simulation.machine.packets.size).toBe(0);
  });

  it('turns a pending packet into a rejected one', () => {
    const text = (rejectClass: number, count: number) => `
      ldxdw %r6, [%r1+8]
      stxdw [%r10-8], %r6
      stw [%r10-16], ${rejectClass + 1}
      lddw %r1, map bf_pending
      mov %r2, %r10
      add %r2, -8
      mov %r3, %r10
      add %r3, -16
      mov %r4, 0
      call 2
      lddw %r1, value bf_pending_n
      mov %r2, ${count}
      lock add [%r1], %r2
      mov %r0, 1
      exit`;
    const packet = { view: packetView({ family: 'ipv4', bytes }) };
    expect(run(text(7, 1), packet)).toMatchObject({ verdict: 'drop', reject: 'tcp-reset' });
    expect(() => run(text(7, 2), packet)).toThrow('left pending_n wrong');
    expect(() => run(text(8, 1), packet)).toThrow('reject class 8');
  });

  it('refuses a return value that is no verdict', () => {
    expect(() => run('mov %r0, 2\nexit', { view: packetView({ family: 'ipv4', bytes }) })).toThrow('returned 2');
  });
});

describe('the layout of a packet', () => {
  function laidOut(packet: SimulatedPacket, hook: 'INPUT' | 'OUTPUT' = 'INPUT') {
    const simulation: SimulatedMaps = createSimulation(generationOf(), REFERENCE_FACTS);
    const { context, skb } = layOutPacket(simulation.machine, REFERENCE_FACTS, hook, packet);
    const read = (address: bigint, member: string): bigint => {
      const { offset, size, bitShift = 0, bitCount = 8 * size } = M[member]!;
      const found = bytesAt(simulation.machine.memory, address + BigInt(offset), size);
      if (found === undefined) throw new Error(`${member} is not there`);
      const value = found.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      return (value >> BigInt(bitShift)) & ((1n << BigInt(bitCount)) - 1n);
    };
    return { read, context, skb, memory: simulation.machine.memory };
  }

  it('has the members where the facts say, and a pattern elsewhere', () => {
    const view = packetView({
      family: 'ipv4',
      bytes,
      mark: 0xdeadbeef,
      pkttype: 3,
      in: { name: 'eth0', ifindex: 7 },
      mac: Uint8Array.from({ length: 14 }, (_, i) => i + 1),
    });
    const { read, context, skb, memory } = laidOut({ view, linear: 20, renamedDevices: true });
    expect(read(context, 'bpf_nf_ctx.skb')).toBe(skb);
    expect(read(skb, 'sk_buff.len')).toBe(40n);
    expect(read(skb, 'sk_buff.data_len')).toBe(20n);
    expect(read(skb, 'sk_buff.mark')).toBe(0xdeadbeefn);
    expect(read(skb, 'sk_buff.pkt_type')).toBe(3n);
    expect(read(skb, 'sk_buff.sk')).toBe(0n);
    const data = read(skb, 'sk_buff.data');
    expect(bytesAt(memory, data, 20)).toEqual(bytes.subarray(0, 20));
    expect(bytesAt(memory, data + 20n, 1)).toEqual(Uint8Array.of(0xa5));
    const mac = read(skb, 'sk_buff.head') + read(skb, 'sk_buff.mac_header');
    expect(mac + 14n).toBe(data);
    expect(bytesAt(memory, mac, 14)).toEqual(view.mac);
    const state = read(context, 'bpf_nf_ctx.state');
    expect(read(state, 'nf_hook_state.hook')).toBe(1n);
    expect(read(state, 'nf_hook_state.out')).toBe(0n);
    const device = read(state, 'nf_hook_state.in');
    expect(read(skb, 'sk_buff.dev')).toBe(device);
    expect(read(device, 'net_device.type')).toBe(1n);
    const name = bytesAt(memory, device + BigInt(M['net_device.name']!.offset), 16)!;
    expect(String.fromCharCode(...name)).toBe('eth0\0\0\0\0zzzzzzz\0');
  });

  it('has conntrack, socket and route', () => {
    const view = packetView({
      family: 'ipv4',
      bytes,
      now: 1000n,
      ctInfo: 2,
      ct: {
        status: 0x188,
        mark: 5,
        expires: 3,
        protonum: 6,
        original: { saddr: 0x0a000001n, daddr: 0x0a000002n, sport: 1025, dport: 80 },
        reply: { saddr: 0x0a000002n, daddr: 0x0a000001n, sport: 80, dport: 1025 },
      },
      socket: { file: { uid: 1000, gid: 100 } },
      routeDstType: 2,
    });
    const { read, context, skb, memory } = laidOut({ view, routeNoref: true }, 'OUTPUT');
    const nfct = read(skb, 'sk_buff._nfct');
    expect(nfct & 7n).toBe(2n);
    expect(read(nfct & ~7n, 'nf_conn.status')).toBe(0x188n);
    expect(read(nfct & ~7n, 'nf_conn.timeout')).toBe(1750n);
    const tuples = (nfct & ~7n) + BigInt(M['nf_conn.tuplehash']!.offset);
    const original = bytesAt(memory, tuples + 16n, 40)!;
    expect([...original.subarray(0, 4)]).toEqual([10, 0, 0, 1]);
    expect([...original.subarray(16, 18)]).toEqual([4, 1]);
    expect([...original.subarray(36, 40)]).toEqual([0, 80, 6, 0]);
    expect([...bytesAt(memory, tuples + 56n + 16n, 4)!]).toEqual([10, 0, 0, 2]);
    const request = read(skb, 'sk_buff.sk');
    expect(read(request, 'sock_common.skc_state')).toBe(12n);
    const sock = read(request, 'sock_common.skc_listener');
    expect(read(sock, 'sock_common.skc_net')).toBe(read(read(context, 'bpf_nf_ctx.state'), 'nf_hook_state.net'));
    const cred = read(read(read(sock, 'sock.sk_socket'), 'socket.file'), 'file.f_cred');
    expect([read(cred, 'cred.fsuid'), read(cred, 'cred.fsgid')]).toEqual([1000n, 100n]);
    const route = read(skb, 'sk_buff._skb_refdst');
    expect(route & 1n).toBe(1n);
    expect(read(route & ~1n, 'rtable.rt_type')).toBe(2n);
  });

  it('has no Ethernet header and no socket in every way the kernel knows', () => {
    const view = packetView({ family: 'ipv6', bytes, out: { name: 'wg0', ifindex: 3 } });
    const plain = laidOut({ view: { ...view, ethernet: true } });
    expect(plain.read(plain.skb, 'sk_buff.mac_header')).toBe(0xffffn);
    const tunnel = laidOut({ view, socketless: 'timeWait' });
    expect(tunnel.read(tunnel.read(tunnel.skb, 'sk_buff.dev'), 'net_device.type')).toBe(0xfffen);
    expect(tunnel.read(tunnel.read(tunnel.skb, 'sk_buff.sk'), 'sock_common.skc_state')).toBe(6n);
    const other = laidOut({ view, socketless: 'otherNamespace' });
    const state = other.read(other.context, 'bpf_nf_ctx.state');
    const net = other.read(other.read(other.skb, 'sk_buff.sk'), 'sock_common.skc_net');
    expect(net).not.toBe(other.read(state, 'nf_hook_state.net'));
    const orphan = laidOut({ view: { ...view, sender: { classid: 0 } } });
    expect(orphan.read(orphan.read(orphan.skb, 'sk_buff.sk'), 'sock.sk_socket')).toBe(0n);
  });
});
