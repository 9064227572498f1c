import { mkdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../test/support/command.ts';
import { suite } from '../../test/support/suite.ts';
import { addressesOn, buildTopology, type Topology } from '../../test/support/topology.ts';
import { openWire, type Wire } from '../../test/support/wire.ts';
import { at, exit, jeq, mov } from '../bpf/assembly.ts';
import { buildProgram } from '../bpf/builder.ts';
import { CLASS, MODE, SIZE } from '../bpf/opcodes.ts';
import type { ProgramSpec } from '../bpf/program.ts';
import { addressToBytes, parseAddress } from '../packet/address.ts';
import { ethernet, ipv4, ipv6 } from '../packet/craft.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import { icmp, type Payload, TCP_FLAGS, tcp, udp } from '../packet/transport.ts';
import { bpffsRoot } from './bpffs.ts';
import { withNamespace } from './namespace.ts';
import { installBridge, removeBridge } from './nfnetlink.ts';
import type { NativeReject } from './nft-objects.ts';
import { pin } from './object.ts';
import { openPacketSocket, openRawSocket, type PacketSocket } from './packet-socket.ts';
import { loadProgram } from './program.ts';

/** What iptables calls an answer, and what our bridge asks the kernel for. */
const CLASSES: Record<Family, readonly (readonly [name: string, reject: NativeReject])[]> = {
  ipv4: [
    ['icmp-net-unreachable', { kind: 'icmp', code: 0 }],
    ['icmp-host-unreachable', { kind: 'icmp', code: 1 }],
    ['icmp-proto-unreachable', { kind: 'icmp', code: 2 }],
    ['icmp-port-unreachable', { kind: 'icmp', code: 3 }],
    ['icmp-net-prohibited', { kind: 'icmp', code: 9 }],
    ['icmp-host-prohibited', { kind: 'icmp', code: 10 }],
    ['icmp-admin-prohibited', { kind: 'icmp', code: 13 }],
    ['tcp-reset', { kind: 'tcpReset' }],
  ],
  ipv6: [
    ['icmp6-no-route', { kind: 'icmp', code: 0 }],
    ['icmp6-adm-prohibited', { kind: 'icmp', code: 1 }],
    ['icmp6-addr-unreachable', { kind: 'icmp', code: 3 }],
    ['icmp6-port-unreachable', { kind: 'icmp', code: 4 }],
    ['icmp6-policy-fail', { kind: 'icmp', code: 5 }],
    ['icmp6-reject-route', { kind: 'icmp', code: 6 }],
    ['tcp-reset', { kind: 'tcpReset' }],
  ],
};
const HOOKS = ['INPUT', 'FORWARD', 'OUTPUT'] as const;
const IPTABLES = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const;
const ENVIRONMENT = { XTABLES_LOCKFILE: '/run/bfk.lock' };

const TCP_PACKETS: readonly Payload[] = [
  tcp({ source: 4000, destination: 80, sequence: 1000, flags: TCP_FLAGS.SYN }),
  tcp({ source: 4000, destination: 80, sequence: 7, acknowledgment: 9, flags: TCP_FLAGS.ACK }),
  tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.ACK | TCP_FLAGS.PSH, data: new Uint8Array(700) }),
  tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.RST }),
  tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.SYN, checksum: 'bad' }),
];
const OTHER_PACKETS: readonly Payload[] = [
  udp({ source: 4000, destination: 53, data: new Uint8Array(30) }),
  udp({ source: 4000, destination: 53, data: new Uint8Array(1400) }),
  udp({ source: 4000, destination: 53, data: new Uint8Array(20), checksum: 'bad' }),
];
const ECHO = { ipv4: icmp({ type: 8, data: new Uint8Array(32) }), ipv6: icmp({ type: 128, data: new Uint8Array(32) }) };

function packetFrom(family: Family, source: string, destination: string, payload: Payload): Uint8Array {
  return family === 'ipv4'
    ? ipv4({ source, destination, ttl: 9, id: 7 }, payload)
    : ipv6({ source, destination }, payload);
}

/** Matches packets to one address by its last four bytes, so that answers to OUTPUT's packets are not refused themselves. */
function destinationProgram(family: Family, address: string): ProgramSpec {
  const load = { opcode: CLASS.LD | MODE.ABS | SIZE.W, dst: 0, src: 0, offset: 0, imm: family === 'ipv4' ? 16 : 36 };
  const last = Number(parseAddress(address, family)! & 0xffff_ffffn);
  return buildProgram('to_address', 'socket_filter', [
    mov.reg(6, 1),
    { kind: 'insn', insn: load },
    jeq.imm32(0, last, 'match'),
    mov.imm(0, 0),
    exit(),
    at('match'),
    mov.imm(0, 1),
    exit(),
  ]);
}

/** The destination of the packets that a hook gets to see. */
function targetOf(hook: (typeof HOOKS)[number], family: Family): string {
  return hook === 'INPUT' ? addressesOn(0, 1)[family] : addressesOn(1, 2)[family];
}

/** A frame as hex without what is different each time: IPv4's identification and with it the header checksum. */
function normalized(frame: Uint8Array): string {
  const copy = frame.slice();
  if (copy[12] === 0x08 && copy[13] === 0x00) {
    copy.fill(0, 14 + 4, 14 + 6);
    copy.fill(0, 14 + 10, 14 + 12);
  }
  return Buffer.from(copy).toString('hex');
}

suite('the REJECT bridge answers as iptables REJECT does', ['root', 'ip', 'iptables', 'btf'], () => {
  let topology: Topology;
  let wire: Wire;
  let loopback: PacketSocket;
  let folder: string;

  beforeAll(() => {
    topology = buildTopology({ name: 'bfk-rej', devices: ['dev0', 'dev1'], mtu: 1500 });
    wire = openWire(topology);
    loopback = withNamespace(topology.namespace, () => openPacketSocket({ ifindex: 1 }));
    folder = `${bpffsRoot()}/bfk_reject_test`;
    mkdirSync(folder);
  });
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    loopback?.close();
    wire?.close();
    topology?.close();
  });

  const inside = <T>(fn: () => T): T => withNamespace(topology.namespace, fn);

  /** Sends everything at every hook and returns the answers, and what got through. */
  function answers(family: Family, hook: (typeof HOOKS)[number], payloads: readonly Payload[]): string[] {
    wire.collect();
    while (loopback.receive() !== undefined);
    const near = addressesOn(0, 2)[family];
    const target = targetOf(hook, family);
    const own = addressesOn(0, 1)[family];
    const found: string[] = [];
    for (const payload of payloads) {
      if (hook === 'OUTPUT') {
        const bytes = addressToBytes(parseAddress(target, family)!, family);
        const socket = inside(() => openRawSocket(family));
        socket.send(packetFrom(family, own, target, payload), bytes);
        socket.close();
      } else {
        topology.deliver(hook === 'INPUT' ? { kind: 'input' } : { kind: 'forward', shift: 1 });
        const frame = ethernet({ destination: 0x02bf_0000_0000n }, packetFrom(family, near, target, payload));
        wire.inject(0, frame);
      }
      wire.settle();
      for (const { device, frame } of wire.collect()) found.push(`dev${device} ${normalized(frame)}`);
      for (let frame = loopback.receive(); frame !== undefined; frame = loopback.receive()) {
        found.push(`lo ${normalized(frame)}`);
      }
      found.push('--');
    }
    return found;
  }

  const cases = FAMILIES.flatMap((family) =>
    HOOKS.flatMap((hook) => CLASSES[family].map(([name, reject]) => ({ family, hook, name, reject }))),
  );

  it.each(cases)('$family $hook $name', ({ family, hook, name, reject }) => {
    const payloads = reject.kind === 'tcpReset' ? TCP_PACKETS : [...TCP_PACKETS, ...OTHER_PACKETS, ECHO[family]];
    const target = targetOf(hook, family);
    const rule = [
      hook,
      '-d',
      target,
      ...(reject.kind === 'tcpReset' ? ['-p', 'tcp'] : []),
      '-j',
      'REJECT',
      '--reject-with',
      name,
    ];
    const iptables = (...args: string[]): string =>
      inside(() => run(IPTABLES[family], ['-w', ...args], '', ENVIRONMENT));
    iptables('-A', ...rule);
    const expected = answers(family, hook, payloads);
    iptables('-F');
    const path = `${folder}/program`;
    const program = loadProgram(destinationProgram(family, target));
    pin(program.fd, path);
    program.close();
    const bridge = { family, hooks: [{ hook, priority: 1 }], anyProgram: path, classes: [{ program: path, reject }] };
    inside(() => installBridge(bridge));
    rmSync(path); // rules hold the program itself
    const found = answers(family, hook, payloads);
    inside(() => removeBridge(family));
    expect(found).toEqual(expected);
    expect(expected.filter((line) => line !== '--').length, 'answers').toBeGreaterThan(1);
  });
});
