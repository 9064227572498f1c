/**
 * Function information for programs that hand one of their own functions to a helper (a callback), or that have global
 * functions: the verifier wants every function of such a program named in BTF (check_btf_func), so a minimal BTF is made for it.
 * Types: 1 `int`, 2 `long`, the context and a pointer to it if a function takes one, one prototype for each kind of arguments, the functions.
 */

import { CALL_SOURCE, CLASS, JMP_OP, LDDW, LDDW_SOURCE } from '../bpf/opcodes.ts';
import type { GlobalArguments, GlobalFunction } from '../bpf/program.ts';

const CALL = CLASS.JMP | JMP_OP.CALL;
/** BTF_KIND_* in bits 24-28 of `info`. */
const KIND = { INT: 1 << 24, PTR: 2 << 24, STRUCT: 4 << 24, FUNC_PROTO: 13 << 24, FUNC: 12 << 24 } as const;
const BTF_INT_SIGNED_32 = (1 << 24) | 32;
const BTF_INT_SIGNED_64 = (1 << 24) | 64;
const HEADER = 24;
/** sizeof(struct bpf_func_info): u32 insn_off, u32 type_id. */
export const FUNCTION_INFO_RECORD = 8;

/**
 * First slots of all functions, in order, if the program takes the address of one or has global ones; else undefined: no
 * information is needed.
 */
export function functionStarts(
  insns: Uint8Array,
  globals: readonly GlobalFunction[] = [],
): readonly number[] | undefined {
  const view = new DataView(insns.buffer, insns.byteOffset, insns.byteLength);
  const starts = new Set([0]);
  let taken = globals.length > 0;
  for (let slot = 0; slot < insns.length / 8; slot++) {
    const opcode = insns[slot * 8]!;
    const source = insns[slot * 8 + 1]! >> 4;
    const target = slot + 1 + view.getInt32(slot * 8 + 4, true);
    if (opcode === CALL && source === CALL_SOURCE.LOCAL) starts.add(target);
    if (opcode !== LDDW) continue;
    if (source === LDDW_SOURCE.FUNC) {
      starts.add(target);
      taken = true;
    }
    slot++; // its second half is no instruction
  }
  return taken ? [...starts].sort((a, b) => a - b) : undefined;
}

/** Linkage of a function, in the place of the number of members. */
const LINKAGE = { STATIC: 0, GLOBAL: 1 } as const;
const INT_TYPE = 1;
const LONG_TYPE = 2;
const STRUCT_TYPE = 3;
const POINTER_TYPE = 4;
/** What the verifier knows the context of a netfilter program by is its name. */
const CONTEXT = { name: 'bpf_nf_ctx', size: 16 } as const;

/** The BTF and the function records for functions that begin at `starts`. */
export function functionInfo(
  starts: readonly number[],
  globals: readonly GlobalFunction[] = [],
): { readonly btf: Uint8Array; readonly records: Uint8Array } {
  const strings: string[] = [''];
  const nameAt = (name: string): number => {
    const place = strings.reduce((sum, other) => sum + other.length + 1, 0);
    strings.push(name);
    return place;
  };
  const types = [
    [nameAt('int'), KIND.INT, 4, BTF_INT_SIGNED_32],
    [nameAt('long'), KIND.INT, 8, BTF_INT_SIGNED_64],
  ];
  if (globals.some(({ context }) => context))
    types.push([nameAt(CONTEXT.name), KIND.STRUCT, CONTEXT.size], [0, KIND.PTR, STRUCT_TYPE]);
  const arg = nameAt('n');
  const firstPrototype = types.length + 1;
  const argumentsOf = ({ context, args }: GlobalArguments): readonly number[] => [
    ...(context ? [POINTER_TYPE] : []),
    ...Array.from({ length: args }, () => LONG_TYPE),
  ];
  // One prototype for each list of arguments; static functions pass for functions without.
  const prototypes = [
    ...new Map([{ args: 0 }, ...globals].map((item) => [argumentsOf(item).join(), argumentsOf(item)])),
  ];
  for (const [, list] of prototypes)
    types.push([0, KIND.FUNC_PROTO | list.length, INT_TYPE, ...list.flatMap((type) => [arg, type])]);
  const first = types.length + 1;
  starts.forEach((slot, index) => {
    const known = globals.find((item) => item.slot === slot);
    const linkage = known === undefined ? LINKAGE.STATIC : LINKAGE.GLOBAL;
    const key = argumentsOf(known ?? { args: 0 }).join();
    const prototype = firstPrototype + prototypes.findIndex(([other]) => other === key);
    types.push([nameAt(`f${index}`), KIND.FUNC | linkage, prototype]);
  });
  return { btf: encodeBtf(types.flat(), `${strings.join('\0')}\0`), records: functionRecords(starts, first) };
}

function encodeBtf(types: readonly number[], text: string): Uint8Array {
  const strings = Buffer.from(text, 'latin1');
  const btf = Buffer.alloc(HEADER + types.length * 4 + strings.length);
  btf.writeUInt16LE(0xeb9f, 0);
  btf[2] = 1;
  const sections = [HEADER, 0, types.length * 4, types.length * 4, strings.length];
  sections.forEach((number, index) => {
    btf.writeUInt32LE(number, 4 + index * 4);
  });
  types.forEach((number, index) => {
    btf.writeUInt32LE(number >>> 0, HEADER + index * 4);
  });
  strings.copy(btf, HEADER + types.length * 4);
  return btf;
}

/** struct bpf_func_info of each function; their types have consecutive ids. */
function functionRecords(starts: readonly number[], first: number): Uint8Array {
  const records = Buffer.alloc(starts.length * FUNCTION_INFO_RECORD);
  starts.forEach((slot, index) => {
    records.writeUInt32LE(slot, index * FUNCTION_INFO_RECORD);
    records.writeUInt32LE(first + index, index * FUNCTION_INFO_RECORD + 4);
  });
  return records;
}
