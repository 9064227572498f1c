/** A network namespace with one device into which frames are injected, one for each contender. */
import { add, and, at, exit, jgt, lddw, ldx, lsh, mov, stx } from '../../src/bpf/assembly.ts';
import { buildProgram } from '../../src/bpf/builder.ts';
import type { Code } from '../../src/bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7 } from '../../src/bpf/instruction.ts';
import { type BpfMap, createMap, u32Key } from '../../src/kernel/map.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { type BpfProgram, loadProgram } from '../../src/kernel/program.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';
import { injectLiveFrames } from '../../src/kernel/test-run.ts';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { raw, TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { ipBatch, run } from '../../test/support/command.ts';
import { ENTRY_BYTES, TRACE_ENTRIES, traceMaps } from '../trace.ts';
import { address6, dotted } from './texts.ts';

const ETHERNET = 14;
const XDP_PASS = 2;
const DEVICE = 'bench0';

export interface Arena {
  readonly namespace: string;
  /** Sends frames with the next headers of the trace; returns nanoseconds for each, the stack's work included. */
  inject(frames: number): number;
  /** The next frame has the first header again. */
  rewind(): void;
  /** Runs a program of the system inside. */
  inside(program: string, args: readonly string[], input?: string): string;
  close(): void;
}

/** The packet of each header: 64 bytes from the IP header on, checksums right. */
export function packetsOf(trace: Uint32Array, family: Family): readonly Uint8Array[] {
  return Array.from({ length: trace.length / 5 }, (_, i) => {
    const [src = 0, dst = 0, sport = 0, dport = 0, protocol = 0] = trace.subarray(i * 5, i * 5 + 5);
    const ports = { source: sport, destination: dport };
    const room = ENTRY_BYTES - (family === 'ipv4' ? 20 : 40);
    const payload =
      protocol === 6
        ? tcp({ ...ports, flags: TCP_FLAGS.ACK, data: new Uint8Array(room - 20) })
        : protocol === 17
          ? udp({ ...ports, data: new Uint8Array(room - 8) })
          : raw(
              protocol,
              Uint8Array.of(sport >>> 8, sport & 255, dport >>> 8, dport & 255, ...new Uint8Array(room - 4)),
            );
    return family === 'ipv4'
      ? ipv4({ source: dotted(src), destination: dotted(dst) }, payload)
      : ipv6({ source: address6(src), destination: address6(dst) }, payload);
  });
}

/** XDP: writes the next entry of the trace over the packet and answers `verdict`. */
function generator(verdict: number): Code {
  const copy: Code[number][] = [];
  for (let offset = 0; offset < ENTRY_BYTES; offset += 8) {
    copy.push(ldx.dw(R3, R1, offset), stx.dw(R6, ETHERNET + offset, R3));
  }
  return [
    ldx.w(R6, R1, 0),
    ldx.w(R7, R1, 4),
    mov.reg(R2, R6),
    add.imm(R2, ETHERNET + ENTRY_BYTES),
    jgt.reg(R2, R7, 'short'),
    lddw.mapValue(R4, 'bench_index', 0),
    ldx.dw(R5, R4, 0),
    mov.reg(R2, R5),
    add.imm(R2, 1),
    stx.dw(R4, 0, R2),
    and.imm(R5, TRACE_ENTRIES - 1),
    lsh.imm(R5, 6),
    lddw.mapValue(R1, 'bench_trace', 0),
    add.reg(R1, R5),
    ...copy,
    mov.imm(R0, verdict),
    exit(),
    at('short'),
    mov.imm(R0, 1),
    exit(),
  ];
}

const INDEX = 'bench_index';

/** What all contenders share: the trace in a map, and the program that sends it. */
export interface Generator {
  readonly family: Family;
  readonly program: BpfProgram;
  readonly index: BpfMap;
  close(): void;
}

/** `verdict`: where the frames go, to the device's own stack unless told otherwise. */
export function createGenerator(trace: Uint32Array, family: Family, verdict: number = XDP_PASS): Generator {
  const maps = new Map(traceMaps(packetsOf(trace, family)).map((spec) => [spec.name, createMap(spec)]));
  const program = loadProgram(buildProgram('bench_source', 'xdp', generator(verdict)), maps);
  const index = maps.get(INDEX)!;
  return {
    family,
    program,
    index,
    close() {
      program.close();
      for (const map of maps.values()) map.close();
    },
  };
}

/** Makes a namespace of this name with a device that is up. */
export function createArena(name: string, { program, index, family }: Generator): Arena {
  ipBatch([`netns add ${name}`]);
  ipBatch(
    [
      `link add ${DEVICE} type veth peer name bench1`,
      'link set lo up',
      // Nothing but the frames of the bench may be counted.
      ...[DEVICE, 'bench1'].flatMap((name) => [`link set ${name} addrgenmode none`, `link set ${name} multicast off`]),
      `link set ${DEVICE} up`,
      'link set bench1 up',
      `addr add 192.0.2.1/24 dev ${DEVICE}`,
    ],
    { namespace: name },
  );
  const inside = (command: string, args: readonly string[], input = ''): string =>
    run('ip', ['netns', 'exec', name, command, ...args], input, { XTABLES_LOCKFILE: `/run/${name}.lock` });
  const [device] = JSON.parse(inside('ip', ['-j', 'link', 'show', DEVICE])) as { address: string }[];
  const frame = new Uint8Array(ETHERNET + ENTRY_BYTES);
  frame.set(device!.address.split(':').map((byte) => Number.parseInt(byte, 16)));
  frame.set(family === 'ipv4' ? [0x08, 0] : [0x86, 0xdd], 12);
  return {
    namespace: name,
    inject: (frames) =>
      withNamespace(name, () => injectLiveFrames(program, { frame, ifindex: indexOfDevice(DEVICE), repeat: frames })),
    rewind: () => index.update(u32Key(0), new Uint8Array(8)),
    inside,
    close: () => ipBatch([`netns del ${name}`]),
  };
}
