/** Running a loaded program on given bytes (BPF_PROG_TEST_RUN), and XDP live frames as a packet generator. */

import { type Family, type Hook, NF_INET_HOOK, NFPROTO } from '../packet/netfilter.ts';
import { encodeAttribute, tryBpf } from './bpf-syscall.ts';
import { SyscallError } from './errno.ts';
import type { BpfProgram } from './program.ts';

export interface TestRunInput {
  /** The packet. Where it starts depends on the program's type: see netfilterInput for netfilter programs. */
  readonly data: Uint8Array;
  /** The context structure, when the program's type takes one. */
  readonly ctx?: Uint8Array;
  /** How often to run; default once. */
  readonly repeat?: number;
}

export interface TestRunResult {
  /** The program's r0, as u32. */
  readonly retval: number;
  /** Nanoseconds per run, averaged by the kernel over `repeat`. */
  readonly durationNs: number;
}

const OUT = { retval: 4, duration: 36 } as const;

/** Runs a program. @throws SyscallError (EINVAL also when the data are too short for the program's type). */
export function testRun(program: BpfProgram, input: TestRunInput): TestRunResult {
  return prepareTestRun(program, input)();
}

/** The same call made ready, for loops: change the bytes of `input.data` or `input.ctx` in place between the runs. */
export function prepareTestRun(program: BpfProgram, input: TestRunInput): () => TestRunResult {
  const { data, ctx } = input;
  const attribute = encodeAttribute('PROG_TEST_RUN', {
    prog_fd: program.fd,
    data_size_in: data.length,
    data_in: data,
    repeat: input.repeat ?? 1,
    ...(ctx === undefined ? {} : { ctx_size_in: ctx.length, ctx_in: ctx }),
  });
  const view = new DataView(attribute.buffer);
  return () => {
    const result = tryBpf('PROG_TEST_RUN', attribute);
    if (result < 0) {
      const given = `program ${program.name}, ${data.length} bytes of data, ${ctx?.length ?? 0} of context`;
      throw new SyscallError('bpf(PROG_TEST_RUN)', -result, given);
    }
    return { retval: view.getUint32(OUT.retval, true), durationNs: view.getUint32(OUT.duration, true) };
  };
}

/** sizeof(struct nf_hook_state): hook u8 @0, pf u8 @1, pointers that must be zero. */
const NF_HOOK_STATE_BYTES = 48;

/**
 * Data and context for a netfilter program on `hook`, from a packet that begins at L3. bpf_prog_test_run_nf takes L3 only for
 * OUTPUT; for the other hooks it wants an Ethernet header, which it strips. There, `in` is NULL and `out` is lo.
 */
export function netfilterInput(family: Family, hook: Hook, packet: Uint8Array, repeat = 1): TestRunInput {
  const ctx = new Uint8Array(NF_HOOK_STATE_BYTES);
  ctx[0] = NF_INET_HOOK[hook];
  ctx[1] = NFPROTO[family];
  if (hook === 'OUTPUT') return { data: packet, ctx, repeat };
  const data = new Uint8Array(ETHERNET_BYTES + packet.length);
  data.set(ETHERTYPE[family], ETHERNET_BYTES - 2);
  data.set(packet, ETHERNET_BYTES);
  return { data, ctx, repeat };
}

const ETHERNET_BYTES = 14;
const ETHERTYPE = { ipv4: [0x08, 0x00], ipv6: [0x86, 0xdd] } as const satisfies Record<Family, readonly number[]>;

/** BPF_F_TEST_XDP_LIVE_FRAMES. */
const LIVE_FRAMES = 2;

export interface LiveFrames {
  /** The frame, from its Ethernet header; must fit one page with its headroom (about 3,500 bytes). */
  readonly frame: Uint8Array;
  /** The device the frames seem to arrive at, in the calling thread's network namespace. */
  readonly ifindex: number;
  readonly repeat: number;
  /** Frames handled at once; the kernel's default is 64, its maximum 256. */
  readonly batch?: number;
}

/**
 * Injects `repeat` frames into the stack through an XDP program (XDP_PASS: up the stack; XDP_TX: out of the device; needs Linux
 * 5.18). Pages are recycled, not rewritten: a program that edits a frame writes every edited byte every time. Returns nanoseconds
 * per frame, the stack's work included, averaged by the kernel.
 */
export function injectLiveFrames(program: BpfProgram, frames: LiveFrames): number {
  // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
  const ctx = new Uint8Array(24);
  const view = new DataView(ctx.buffer);
  view.setUint32(4, frames.frame.length, true);
  view.setUint32(12, frames.ifindex, true);
  const attribute = encodeAttribute('PROG_TEST_RUN', {
    prog_fd: program.fd,
    data_size_in: frames.frame.length,
    data_in: frames.frame,
    repeat: frames.repeat,
    ctx_size_in: ctx.length,
    ctx_in: ctx,
    flags: LIVE_FRAMES,
    batch_size: frames.batch ?? 0,
  });
  const result = tryBpf('PROG_TEST_RUN', attribute);
  if (result < 0) {
    const hint = 'live frames need Linux 5.18 and a device that is up';
    throw new SyscallError('bpf(PROG_TEST_RUN)', -result, hint);
  }
  return new DataView(attribute.buffer).getUint32(OUT.duration, true);
}
