/**
 * BTF for maps whose values begin with a `struct bpf_spin_lock`: without it the kernel would not know that there is a lock.
 * Types: 1 `unsigned int`, 2 `struct bpf_spin_lock { unsigned int val; }`, 3 `struct value { struct bpf_spin_lock lock; ... }`,
 * 4 a structure as long as the key. What else a value holds is not told.
 */

import type { MapSpec } from '../bpf/program.ts';

/** BTF_KIND_INT and BTF_KIND_STRUCT in bits 24-28 of `info`, the number of members in bits 0-15. */
const KIND = { INT: 1 << 24, STRUCT: 4 << 24 } as const;
const INT_BITS = 32;
const HEADER = 24;

/** Ids that MAP_CREATE takes. Array maps want an integer as key. */
export const LOCKED_VALUE = 3;
export function lockedKey(spec: Pick<MapSpec, 'type'>): number {
  return spec.type === 'array' ? 1 : 4;
}

/** The type information of a locked map, for BTF_LOAD. */
export function lockedMapTypes(spec: Pick<MapSpec, 'keySize' | 'valueSize'>): Uint8Array {
  const names = ['', 'u32', 'bpf_spin_lock', 'val', 'value', 'lock', 'key'] as const;
  const strings = Buffer.from(`${names.join('\0')}\0`, 'latin1');
  const nameOf = (name: (typeof names)[number]): number =>
    names.slice(0, names.indexOf(name)).reduce((sum, other) => sum + other.length + 1, 0);
  const types = [
    [nameOf('u32'), KIND.INT, 4, INT_BITS],
    [nameOf('bpf_spin_lock'), KIND.STRUCT | 1, 4, nameOf('val'), 1, 0],
    [nameOf('value'), KIND.STRUCT | 1, spec.valueSize, nameOf('lock'), 2, 0],
    [nameOf('key'), KIND.STRUCT, spec.keySize],
  ].flat();
  const btf = Buffer.alloc(HEADER + types.length * 4 + strings.length);
  btf.writeUInt16LE(0xeb9f, 0);
  btf[2] = 1;
  [HEADER, 0, types.length * 4, types.length * 4, strings.length].forEach((number, index) => {
    btf.writeUInt32LE(number, 4 + index * 4);
  });
  types.forEach((number, index) => {
    btf.writeUInt32LE(number >>> 0, HEADER + index * 4);
  });
  strings.copy(btf, HEADER + types.length * 4);
  return btf;
}
