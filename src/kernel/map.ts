/** Maps: creation from MapSpec, elements as bytes. Everything is little endian, as the machine. */

import { closeSync } from 'node:fs';
import type { MapSpec, MapType } from '../bpf/program.ts';
import { type BpfValues, bpf, encodeAttribute, objectInfo, tryBpf } from './bpf-syscall.ts';
import { possibleCpuList } from './cpus.ts';
import { ERRNO, SyscallError } from './errno.ts';
import { LOCKED_VALUE, lockedKey, lockedMapTypes } from './map-type-info.ts';

/** `enum bpf_map_type`. */
export const MAP_TYPE_NUMBERS = {
  hash: 1,
  array: 2,
  prog_array: 3,
  percpu_array: 6,
  lru_hash: 9,
  ringbuf: 27,
} as const satisfies Record<MapType, number>;

/** An open map. Owns its file descriptor; close() drops it (the map lives on while pinned or used by a program). */
export interface BpfMap {
  readonly fd: number;
  readonly id: number;
  readonly name: string;
  readonly type: MapType | 'other';
  readonly keySize: number;
  /** Bytes of one value as user space sees it: for per-CPU maps the values of all possible CPUs, each rounded up to 8. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** The value under `key`, or undefined. `flags`: 0, or 4 to copy it under its lock (BPF_F_LOCK). */
  lookup(key: Uint8Array, flags?: bigint): Uint8Array | undefined;
  /** `flags`: 0 any, 1 only new (BPF_NOEXIST), 2 only existing (BPF_EXIST). */
  update(key: Uint8Array, value: Uint8Array, flags?: bigint): void;
  /** @returns whether the key was there. */
  delete(key: Uint8Array): boolean;
  /** All keys at about this moment: another's deletion may make the walk start over. */
  keys(): Uint8Array[];
  /** The value of element 0: one-element arrays. */
  readValue(): Uint8Array;
  /** Writes the value of element 0. For values of at most 8 bytes readers see the old or the new value, never a mixture. */
  writeValue(value: Uint8Array): void;
  close(): void;
}

/** Creates a map and writes its initial value. @throws SyscallError */
export function createMap(spec: MapSpec): BpfMap {
  const map = mapFromFd(spec.locked === true ? createLocked(spec) : create(spec, {}));
  try {
    if (spec.initial !== undefined) map.writeValue(spec.initial);
    return map;
  } catch (error) {
    map.close();
    throw error;
  }
}

function create(spec: MapSpec, types: BpfValues<'MAP_CREATE'>): number {
  return bpf('MAP_CREATE', {
    map_type: MAP_TYPE_NUMBERS[spec.type],
    key_size: spec.keySize,
    value_size: spec.valueSize,
    max_entries: spec.maxEntries,
    map_flags: spec.flags ?? 0,
    map_name: spec.name,
    ...types,
  });
}

function createLocked(spec: MapSpec): number {
  const btf = lockedMapTypes(spec);
  const fd = bpf('BTF_LOAD', { btf, btf_size: btf.length }, `map ${spec.name}`);
  try {
    return create(spec, { btf_fd: fd, btf_key_type_id: lockedKey(spec), btf_value_type_id: LOCKED_VALUE });
  } finally {
    closeSync(fd);
  }
}

/** Wraps an open map's descriptor, which then belongs to the result; on failure it is closed. */
export function mapFromFd(fd: number): BpfMap {
  let info: DataView;
  try {
    // struct bpf_map_info: type, id, key_size, value_size, max_entries, map_flags, name[16]
    info = objectInfo(fd, 40);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const u32 = (index: number): number => info.getUint32(index * 4, true);
  const number = u32(0);
  const type = (Object.keys(MAP_TYPE_NUMBERS) as MapType[]).find((name) => MAP_TYPE_NUMBERS[name] === number);
  const stride = type === 'percpu_array' ? Math.ceil(u32(3) / 8) * 8 * possibleCpuList().length : u32(3);
  const name = Buffer.from(info.buffer, 24, 16).toString('latin1').replace(/\0.*$/s, '');
  return openMap({
    fd,
    id: u32(1),
    name,
    type: type ?? 'other',
    keySize: u32(2),
    valueSize: stride,
    maxEntries: u32(4),
  });
}

type Shape = Pick<BpfMap, 'fd' | 'id' | 'name' | 'type' | 'keySize' | 'valueSize' | 'maxEntries'>;

function openMap(shape: Shape): BpfMap {
  const { fd, keySize, valueSize, name } = shape;
  const first = new Uint8Array(keySize);
  let open = true;

  function expect(what: 'key' | 'value', bytes: Uint8Array, size: number): void {
    if (bytes.length !== size) throw new RangeError(`map ${name}: a ${what} has ${size} bytes, not ${bytes.length}`);
  }

  function lookup(key: Uint8Array, flags = 0n): Uint8Array | undefined {
    expect('key', key, keySize);
    const value = new Uint8Array(valueSize);
    const result = tryBpf('MAP_LOOKUP_ELEM', encodeAttribute('MAP_LOOKUP_ELEM', { map_fd: fd, key, value, flags }));
    if (result === -ERRNO.ENOENT.number) return undefined;
    if (result < 0) throw new SyscallError('bpf(MAP_LOOKUP_ELEM)', -result, `map ${name}`);
    return value;
  }

  function update(key: Uint8Array, value: Uint8Array, flags = 0n): void {
    expect('key', key, keySize);
    expect('value', value, valueSize);
    bpf('MAP_UPDATE_ELEM', { map_fd: fd, key, value, flags }, `map ${name}`);
  }

  return {
    ...shape,
    lookup,
    update,
    delete(key) {
      expect('key', key, keySize);
      const result = tryBpf('MAP_DELETE_ELEM', encodeAttribute('MAP_DELETE_ELEM', { map_fd: fd, key }));
      if (result === -ERRNO.ENOENT.number) return false;
      if (result < 0) throw new SyscallError('bpf(MAP_DELETE_ELEM)', -result, `map ${name}`);
      return true;
    },
    keys() {
      const found: Uint8Array[] = [];
      // A concurrent deletion restarts the kernel's walk, so it is bounded by what the map can hold.
      for (let key: Uint8Array | undefined; found.length < shape.maxEntries; ) {
        const next = new Uint8Array(keySize);
        const attribute = encodeAttribute('MAP_GET_NEXT_KEY', { map_fd: fd, ...(key && { key }), value: next });
        const result = tryBpf('MAP_GET_NEXT_KEY', attribute);
        if (result === -ERRNO.ENOENT.number) break;
        if (result < 0) throw new SyscallError('bpf(MAP_GET_NEXT_KEY)', -result, `map ${name}`);
        found.push(next);
        key = next;
      }
      return found;
    },
    readValue() {
      const value = lookup(first);
      if (value === undefined) throw new SyscallError('bpf(MAP_LOOKUP_ELEM)', ERRNO.ENOENT.number, `map ${name}`);
      return value;
    },
    writeValue(value) {
      update(first, value);
    },
    close() {
      if (!open) return;
      open = false;
      closeSync(fd);
    },
  };
}

/** A u32 as the key of an array map. */
export function u32Key(index: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, index, true);
  return key;
}
