/** Loading programs: relocations, PROG_LOAD without a log, and the log only when that failed. */

import { closeSync } from 'node:fs';
import type { ProgramSpec, ProgramType } from '../bpf/program.ts';
import { type BpfValues, bpf, cString, encodeAttribute, objectInfo, tryBpf } from './bpf-syscall.ts';
import { type Btf, kernelIds } from './btf.ts';
import { ERRNO, SyscallError } from './errno.ts';
import { FUNCTION_INFO_RECORD, functionInfo, functionStarts } from './function-info.ts';
import type { BpfMap } from './map.ts';
import { VerifierError } from './verifier-error.ts';

/** `enum bpf_prog_type`, and `enum bpf_attach_type` where a type demands one at load time. */
export const PROGRAM_TYPE_NUMBERS = {
  socket_filter: { type: 1, attach: 0 },
  sched_cls: { type: 3, attach: 0 },
  xdp: { type: 6, attach: 0 },
  netfilter: { type: 32, attach: 45 },
} as const satisfies Record<ProgramType, { type: number; attach: number }>;

/** An open program. Owns its file descriptor; close() drops it (links, maps and pins keep the program itself). */
export interface BpfProgram {
  readonly fd: number;
  readonly id: number;
  readonly name: string;
  readonly type: ProgramType | 'other';
  close(): void;
}

/** `src_reg` of the two-slot load and of a call that say what their imm is. */
const PSEUDO = { MAP_FD: 1, MAP_VALUE: 2, KFUNC_CALL: 2 } as const;

/**
 * The instructions as this kernel wants them: map descriptors and BTF ids filled in. The spec is not changed.
 * @throws Error when a relocation names a map that was not given, or a kernel function or struct that does not exist.
 */
export function relocate(
  spec: ProgramSpec,
  maps: ReadonlyMap<string, BpfMap>,
  ids: Pick<Btf, 'functionId' | 'structId'>,
): Uint8Array {
  const insns = spec.insns.slice();
  const view = new DataView(insns.buffer);
  const patch = (slot: number, imm: number, source?: number): void => {
    view.setInt32(slot * 8 + 4, imm, true);
    if (source !== undefined) insns[slot * 8 + 1] = (insns[slot * 8 + 1]! & 0x0f) | (source << 4);
  };
  const mapFd = (name: string): number => {
    const map = maps.get(name);
    if (map === undefined) throw new Error(`program ${spec.name} refers to map ${name}, which was not given`);
    return map.fd;
  };
  const known = (id: number | undefined, what: string): number => {
    if (id === undefined) throw new Error(`program ${spec.name} needs ${what}, which this kernel does not have`);
    return id;
  };
  for (const relocation of spec.relocations) {
    switch (relocation.kind) {
      case 'map':
        patch(relocation.slot, mapFd(relocation.map), PSEUDO.MAP_FD);
        break;
      case 'mapValue':
        patch(relocation.slot, mapFd(relocation.map), PSEUDO.MAP_VALUE);
        patch(relocation.slot + 1, relocation.offset);
        break;
      case 'kfunc': {
        const id = known(ids.functionId(relocation.name), `kernel function ${relocation.name}`);
        patch(relocation.slot, id, PSEUDO.KFUNC_CALL);
        break;
      }
      case 'struct':
        patch(relocation.slot, known(ids.structId(relocation.name), `the layout of struct ${relocation.name}`));
        break;
    }
  }
  return insns;
}

/** How much of the verifier's log is kept; the kernel (since 6.4) keeps its end when there is more. */
const LOG_BYTES = 1 << 22;
/** BPF_LOG_LEVEL1: what went wrong and the path there. */
const LOG_LEVEL = 1;

/**
 * Loads a program.
 * @throws VerifierError when the verifier refused it, SyscallError when the kernel failed before or for another reason.
 */
export function loadProgram(spec: ProgramSpec, maps: ReadonlyMap<string, BpfMap> = new Map()): BpfProgram {
  const insns = relocate(spec, maps, kernelIds);
  const starts = functionStarts(insns, spec.globals);
  if (starts === undefined) return load(spec, insns, {});
  const { btf, records } = functionInfo(starts, spec.globals);
  const fd = bpf('BTF_LOAD', { btf, btf_size: btf.length }, `program ${spec.name}`);
  try {
    return load(spec, insns, {
      prog_btf_fd: fd,
      func_info_rec_size: FUNCTION_INFO_RECORD,
      func_info: records,
      func_info_cnt: starts.length,
    });
  } finally {
    closeSync(fd);
  }
}

const XDP_HAS_FRAGS = 1 << 5;

function load(spec: ProgramSpec, insns: Uint8Array, functions: BpfValues<'PROG_LOAD'>): BpfProgram {
  const { type, attach } = PROGRAM_TYPE_NUMBERS[spec.type];
  const values: BpfValues<'PROG_LOAD'> = {
    ...functions,
    prog_type: type,
    // Frames in several pieces are welcome (BPF_F_XDP_HAS_FRAGS): without it a device with a large MTU takes no program.
    ...(spec.type === 'xdp' ? { prog_flags: XDP_HAS_FRAGS } : {}),
    insn_cnt: insns.length / 8,
    insns,
    license: cString(spec.license),
    prog_name: spec.name,
    expected_attach_type: attach,
  };
  const result = tryLoad(values);
  if (result >= 0) return programFromFd(result, spec.type);
  // Again, with the log. The second answer counts: a lack of memory may have passed.
  const log = Buffer.alloc(LOG_BYTES);
  const logged = { ...values, log_level: LOG_LEVEL, log_size: LOG_BYTES, log_buf: log };
  const again = tryLoad(logged);
  if (again >= 0) return programFromFd(again, spec.type);
  const text = log.toString('latin1', 0, Math.max(0, log.indexOf(0)));
  if (text.trim() !== '') throw new VerifierError(spec.name, -result, text);
  throw new SyscallError('bpf(PROG_LOAD)', -result, loadHint(spec, -result));
}

/** The verifier gives up with EAGAIN when a signal is pending (do_check), which says nothing of the program. */
const ATTEMPTS = 10;

function tryLoad(values: BpfValues<'PROG_LOAD'>): number {
  let result = -ERRNO.EAGAIN.number;
  for (let attempt = 0; attempt < ATTEMPTS && result === -ERRNO.EAGAIN.number; attempt++) {
    result = tryBpf('PROG_LOAD', encodeAttribute('PROG_LOAD', values));
  }
  return result;
}

function loadHint(spec: ProgramSpec, errno: number): string {
  const program = `program ${spec.name} of type ${spec.type}`;
  switch (errno) {
    case ERRNO.EPERM.number:
      return `${program}; loading needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (run as root)`;
    case ERRNO.E2BIG.number:
      return `${program} has ${spec.insns.length / 8} instructions; the kernel takes at most 1,000,000`;
    case ERRNO.EINVAL.number:
      return spec.type === 'netfilter'
        ? `${program}; this kernel may lack BPF programs for netfilter (Linux 6.4, CONFIG_NETFILTER_BPF_LINK)`
        : program;
    default:
      return program;
  }
}

/** Wraps an open program's descriptor, which then belongs to the result; on failure it is closed. */
export function programFromFd(fd: number, expected?: ProgramType): BpfProgram {
  let info: DataView;
  try {
    info = objectInfo(fd, PROG_INFO_SIZE);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const number = info.getUint32(0, true);
  const type = (Object.keys(PROGRAM_TYPE_NUMBERS) as ProgramType[]).find(
    (name) => PROGRAM_TYPE_NUMBERS[name].type === number,
  );
  const name = Buffer.from(info.buffer, 64, 16).toString('latin1').replace(/\0.*$/s, '');
  let open = true;
  return {
    fd,
    id: info.getUint32(4, true),
    name,
    type: type ?? expected ?? 'other',
    close() {
      if (!open) return;
      open = false;
      closeSync(fd);
    },
  };
}

/** struct bpf_prog_info up to and including verified_insns (@216). */
const PROG_INFO_SIZE = 224;

/** What the kernel tells of a loaded program. */
export interface ProgramInfo {
  readonly id: number;
  readonly name: string;
  /** Bytes of machine code; 0: interpreted, or not allowed to know. */
  readonly jitedBytes: number;
  /** Bytes of translated BPF instructions. */
  readonly translatedBytes: number;
  /** Nanoseconds since boot. */
  readonly loadTimeNs: bigint;
  /** Instructions the verifier walked. */
  readonly verifiedInstructions: number;
}

/** bpf_prog_info of an open program. */
export function programInfo(program: BpfProgram): ProgramInfo {
  const info = objectInfo(program.fd, PROG_INFO_SIZE);
  return Object.freeze({
    id: info.getUint32(4, true),
    name: program.name,
    jitedBytes: info.getUint32(16, true),
    translatedBytes: info.getUint32(20, true),
    loadTimeNs: info.getBigUint64(40, true),
    verifiedInstructions: info.getUint32(216, true),
  });
}

/** Puts a program into a PROG_ARRAY slot: takes effect with the next tail call. */
export function setProgramSlot(array: BpfMap, slot: number, program: BpfProgram): void {
  const key = new Uint8Array(4);
  const value = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, slot, true);
  new DataView(value.buffer).setUint32(0, program.fd, true);
  bpf('MAP_UPDATE_ELEM', { map_fd: array.fd, key, value }, `slot ${slot} of ${array.name}`);
}
