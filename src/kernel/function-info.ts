/**
 * Function information for programs that hand one of their own functions to a helper (bpf_loop's callback): the verifier wants
 * every function of such a program named in BTF (check_btf_func), so a minimal BTF is made for it. Types: id 1 `int`,
 * id 2 `int (void)`, id 3.. one static function each.
 */

import { CALL_SOURCE, CLASS, JMP_OP, LDDW, LDDW_SOURCE } from '../bpf/opcodes.ts';

const CALL = CLASS.JMP | JMP_OP.CALL;
/** BTF_KIND_INT, FUNC_PROTO, FUNC in bits 24-28 of `info`. */
const KIND = { INT: 1 << 24, FUNC_PROTO: 13 << 24, FUNC: 12 << 24 } as const;
const BTF_INT_SIGNED_32 = (1 << 24) | 32;
const HEADER = 24;
/** sizeof(struct bpf_func_info): u32 insn_off, u32 type_id. */
export const FUNCTION_INFO_RECORD = 8;

/** First slots of all functions, in order, if the program takes the address of one; else undefined: no information is needed. */
export function functionStarts(insns: Uint8Array): readonly number[] | undefined {
  const view = new DataView(insns.buffer, insns.byteOffset, insns.byteLength);
  const starts = new Set([0]);
  let taken = false;
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

/** The BTF and the function records for functions that begin at `starts`. */
export function functionInfo(starts: readonly number[]): { readonly btf: Uint8Array; readonly records: Uint8Array } {
  const names = ['', 'int', ...starts.map((_, index) => `f${index}`)];
  const strings = Buffer.from(`${names.join('\0')}\0`, 'latin1');
  const nameAt = (index: number): number => names.slice(0, index).reduce((sum, name) => sum + name.length + 1, 0);
  const types = [
    [nameAt(1), KIND.INT, 4, BTF_INT_SIGNED_32],
    [0, KIND.FUNC_PROTO, 1],
    ...starts.map((_, index) => [nameAt(index + 2), KIND.FUNC, 2]),
  ].flat();
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
  const records = Buffer.alloc(starts.length * FUNCTION_INFO_RECORD);
  starts.forEach((slot, index) => {
    records.writeUInt32LE(slot, index * FUNCTION_INFO_RECORD);
    records.writeUInt32LE(index + 3, index * FUNCTION_INFO_RECORD + 4);
  });
  return { btf, records };
}
