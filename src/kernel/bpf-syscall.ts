/**
 * bpf(2): one attribute layout per command, as data, and one typed function for all of them.
 *
 * Layouts follow `union bpf_attr` (include/uapi/linux/bpf.h, Linux 6.12). A layout ends after the last member used here:
 * the kernel takes shorter attributes, and longer ones whose unknown tail is zero.
 */

import { SyscallError } from './errno.ts';
import { addressOf, trySyscall } from './syscall.ts';

type FieldKind = 'u32' | 's32' | 'u64' | 'pointer' | 'name';
type Field = readonly [offset: number, kind: FieldKind];
/** One command: its number, the size of its attribute and the place and kind of each member. */
export interface BpfCommandLayout {
  readonly number: number;
  readonly size: number;
  readonly fields: Readonly<Record<string, Field>>;
}

const ELEMENT = {
  map_fd: [0, 'u32'],
  key: [8, 'pointer'],
  value: [16, 'pointer'],
  flags: [24, 'u64'],
} as const satisfies Record<string, Field>;

const OBJECT_PATH = {
  pathname: [0, 'pointer'],
  bpf_fd: [8, 'u32'],
  file_flags: [12, 'u32'],
} as const satisfies Record<string, Field>;

export const BPF_COMMANDS = {
  MAP_CREATE: {
    number: 0,
    size: 72,
    fields: {
      map_type: [0, 'u32'],
      key_size: [4, 'u32'],
      value_size: [8, 'u32'],
      max_entries: [12, 'u32'],
      map_flags: [16, 'u32'],
      map_name: [28, 'name'],
      btf_fd: [48, 'u32'],
      btf_key_type_id: [52, 'u32'],
      btf_value_type_id: [56, 'u32'],
    },
  },
  MAP_LOOKUP_ELEM: { number: 1, size: 32, fields: ELEMENT },
  MAP_UPDATE_ELEM: { number: 2, size: 32, fields: ELEMENT },
  MAP_DELETE_ELEM: { number: 3, size: 32, fields: ELEMENT },
  MAP_GET_NEXT_KEY: { number: 4, size: 32, fields: ELEMENT },
  PROG_LOAD: {
    number: 5,
    size: 144,
    fields: {
      prog_type: [0, 'u32'],
      insn_cnt: [4, 'u32'],
      insns: [8, 'pointer'],
      license: [16, 'pointer'],
      log_level: [24, 'u32'],
      log_size: [28, 'u32'],
      log_buf: [32, 'pointer'],
      prog_flags: [44, 'u32'],
      prog_name: [48, 'name'],
      expected_attach_type: [68, 'u32'],
      prog_btf_fd: [72, 'u32'],
      func_info_rec_size: [76, 'u32'],
      func_info: [80, 'pointer'],
      func_info_cnt: [88, 'u32'],
    },
  },
  OBJ_PIN: { number: 6, size: 16, fields: OBJECT_PATH },
  OBJ_GET: { number: 7, size: 16, fields: OBJECT_PATH },
  PROG_TEST_RUN: {
    number: 10,
    size: 80,
    fields: {
      prog_fd: [0, 'u32'],
      retval: [4, 'u32'],
      data_size_in: [8, 'u32'],
      data_size_out: [12, 'u32'],
      data_in: [16, 'pointer'],
      data_out: [24, 'pointer'],
      repeat: [32, 'u32'],
      duration: [36, 'u32'],
      ctx_size_in: [40, 'u32'],
      ctx_size_out: [44, 'u32'],
      ctx_in: [48, 'pointer'],
      ctx_out: [56, 'pointer'],
      flags: [64, 'u32'],
      cpu: [68, 'u32'],
      batch_size: [72, 'u32'],
    },
  },
  OBJ_GET_INFO_BY_FD: {
    number: 15,
    size: 16,
    fields: { bpf_fd: [0, 'u32'], info_len: [4, 'u32'], info: [8, 'pointer'] },
  },
  PROG_QUERY: {
    number: 16,
    size: 64,
    fields: { target: [0, 'u32'], attach_type: [4, 'u32'], prog_ids: [16, 'pointer'], count: [24, 'u32'] },
  },
  BTF_LOAD: { number: 18, size: 32, fields: { btf: [0, 'pointer'], btf_size: [16, 'u32'] } },
  LINK_CREATE: {
    number: 28,
    size: 48,
    fields: {
      prog_fd: [0, 'u32'],
      target: [4, 'u32'],
      attach_type: [8, 'u32'],
      flags: [12, 'u32'],
      netfilter_pf: [16, 'u32'],
      netfilter_hooknum: [20, 'u32'],
      netfilter_priority: [24, 's32'],
      netfilter_flags: [28, 'u32'],
    },
  },
  LINK_UPDATE: {
    number: 29,
    size: 16,
    fields: { link_fd: [0, 'u32'], new_prog_fd: [4, 'u32'], flags: [8, 'u32'], old_prog_fd: [12, 'u32'] },
  },
  LINK_DETACH: { number: 34, size: 4, fields: { link_fd: [0, 'u32'] } },
} as const satisfies Record<string, BpfCommandLayout>;

export type BpfCommand = keyof typeof BPF_COMMANDS;

interface ValueOf {
  u32: number;
  s32: number;
  u64: bigint;
  pointer: Uint8Array;
  name: string;
}
type Fields<C extends BpfCommand> = (typeof BPF_COMMANDS)[C]['fields'];
/** What a command takes: any of its members; those left out are zero. */
export type BpfValues<C extends BpfCommand> = {
  readonly [N in keyof Fields<C>]?: Fields<C>[N] extends readonly [number, infer K extends FieldKind]
    ? ValueOf[K]
    : never;
};

/** An attribute holds bare addresses: this keeps the memory behind them alive as long as the attribute itself. */
const MEMORY = new WeakMap<Uint8Array, object>();

/** A command's attribute as the kernel reads it. The memory that `values` point to lives as long as the attribute. */
export function encodeAttribute<C extends BpfCommand>(command: C, values: BpfValues<C>): Uint8Array {
  const layout: BpfCommandLayout = BPF_COMMANDS[command];
  const attribute = new Uint8Array(layout.size);
  const view = new DataView(attribute.buffer);
  for (const [name, value] of Object.entries<number | bigint | Uint8Array | string | undefined>(values)) {
    const field = layout.fields[name];
    if (value === undefined || field === undefined) continue;
    const [offset, kind] = field;
    if (kind === 'pointer') view.setBigUint64(offset, addressOf(value as Uint8Array), true);
    else if (kind === 'u64') view.setBigUint64(offset, value as bigint, true);
    else if (kind === 'name') attribute.set(encodeName(value as string), offset);
    else view.setInt32(offset, value as number, true);
  }
  MEMORY.set(attribute, values);
  return attribute;
}

/** BPF_OBJ_NAME_LEN is 16 with the terminating zero; bpf_obj_name_cpy allows only these characters. */
function encodeName(name: string): Uint8Array {
  if (!/^[A-Za-z0-9_.]{0,15}$/.test(name)) {
    throw new RangeError(`"${name}" is no BPF object name: at most 15 characters of A-Z a-z 0-9 _ .`);
  }
  return Buffer.from(name, 'latin1');
}

/**
 * bpf(2) with `attribute` already encoded; the kernel writes its answers into it.
 * @returns the result or the negative error number.
 */
export function tryBpf(command: BpfCommand, attribute: Uint8Array): number {
  return trySyscall('bpf', BPF_COMMANDS[command].number, attribute, attribute.length);
}

/** bpf(2). @throws SyscallError with command `bpf(NAME)`. */
export function bpf<C extends BpfCommand>(command: C, values: BpfValues<C>, hint?: string): number {
  const result = tryBpf(command, encodeAttribute(command, values));
  if (result < 0) throw new SyscallError(`bpf(${command})`, -result, hint);
  return result;
}

/** A path as the kernel takes it: UTF-8 with a zero at its end. */
export function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'utf8');
}

/** `bpf_*_info` of a map, program or link: at most `size` bytes, zeros where this kernel has nothing. */
export function objectInfo(fd: number, size: number): DataView {
  const info = new Uint8Array(size);
  bpf('OBJ_GET_INFO_BY_FD', { bpf_fd: fd, info_len: size, info });
  return new DataView(info.buffer);
}
