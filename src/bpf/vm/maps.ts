/**
 * Maps of the virtual machine. Values live in one region per map, so that programs get pointers to them; keys of hash
 * maps are compared byte by byte.
 */

import type { MapSpec } from '../program.ts';
import type { VmProgram } from './link.ts';
import type { Machine } from './machine.ts';
import { mapRegion, type Region } from './memory.ts';

interface MapBase {
  readonly spec: MapSpec;
  /** What `lddw rX, map` loads. */
  readonly handle: bigint;
}

export type VmMap = VmArray | VmHash | VmProgArray | VmRingbuf;

/** array, and percpu_array: there one run of elements per CPU. */
export interface VmArray extends MapBase {
  readonly kind: 'array';
  readonly values: Region;
  /** Value size rounded up to 8 bytes, as the kernel lays elements out. */
  readonly stride: number;
  readonly perCpu: boolean;
}

/** hash and lru_hash. */
export interface VmHash extends MapBase {
  readonly kind: 'hash';
  readonly values: Region;
  readonly stride: number;
  /** Element number by key (one character per byte), least recently used first. */
  readonly index: Map<string, number>;
  readonly free: number[];
}

export interface VmProgArray extends MapBase {
  readonly kind: 'prog_array';
  readonly programs: (VmProgram | undefined)[];
}

export interface VmRingbuf extends MapBase {
  readonly kind: 'ringbuf';
  /** Records submitted and not yet taken, oldest first. */
  readonly records: Uint8Array[];
  readonly reserved: Map<bigint, Region>;
  /** Bytes of the ring in use, record headers included. */
  used: number;
}

/** bpf(2) errors as helpers return them. */
export const ENOENT = 2;
export const E2BIG = 7;
export const EEXIST = 17;
export const EINVAL = 22;

/** Flags of bpf_map_update_elem. */
const BPF_NOEXIST = 1;
const BPF_EXIST = 2;

/** Creates a map in a machine. `cpus`: how many runs of elements a percpu_array has. */
export function createVmMap(machine: Machine, spec: MapSpec, cpus = 1): VmMap {
  const handle = mapRegion(machine.memory, `map ${spec.name}`, new Uint8Array(0), { writable: false, strict: true });
  const base = { spec, handle: handle.base };
  const stride = Math.ceil(spec.valueSize / 8) * 8;
  const values = (elements: number): Region =>
    mapRegion(machine.memory, `values of map ${spec.name}`, new Uint8Array(elements * stride), {
      writable: true,
      strict: true,
    });
  const map = ((): VmMap => {
    switch (spec.type) {
      case 'array':
      case 'percpu_array': {
        const perCpu = spec.type === 'percpu_array';
        const region = values(spec.maxEntries * (perCpu ? cpus : 1));
        if (spec.initial !== undefined) region.bytes.set(spec.initial);
        return { ...base, kind: 'array', values: region, stride, perCpu };
      }
      case 'hash':
      case 'lru_hash': {
        const free = Array.from({ length: spec.maxEntries }, (_, i) => spec.maxEntries - 1 - i);
        return { ...base, kind: 'hash', values: values(spec.maxEntries), stride, index: new Map(), free };
      }
      case 'prog_array':
        return { ...base, kind: 'prog_array', programs: new Array(spec.maxEntries).fill(undefined) };
      case 'ringbuf':
        return { ...base, kind: 'ringbuf', records: [], reserved: new Map(), used: 0 };
    }
  })();
  machine.maps.set(Number(handle.base >> 32n) | 0, map);
  return map;
}

/** Address of a key's value, or 0. `cpu` chooses the run of a percpu_array. */
export function lookupElement(map: VmMap, key: Uint8Array, cpu = 0): bigint {
  const element = findElement(map, key, cpu);
  return element === undefined ? 0n : element.region.base + BigInt(element.offset);
}

/** The bytes of a key's value (shared with the programs), for whoever drives the machine. */
export function readElement(map: VmMap, key: Uint8Array, cpu = 0): Uint8Array | undefined {
  const element = findElement(map, key, cpu);
  return element?.region.bytes.subarray(element.offset, element.offset + map.spec.valueSize);
}

function findElement(map: VmMap, key: Uint8Array, cpu: number): { region: Region; offset: number } | undefined {
  if (map.kind === 'array') {
    const index = arrayIndex(key);
    if (index >= map.spec.maxEntries) return undefined;
    return { region: map.values, offset: (index + (map.perCpu ? cpu * map.spec.maxEntries : 0)) * map.stride };
  }
  if (map.kind !== 'hash') return undefined;
  const name = keyName(key);
  const index = map.index.get(name);
  if (index === undefined) return undefined;
  if (map.spec.type === 'lru_hash') {
    map.index.delete(name);
    map.index.set(name, index);
  }
  return { region: map.values, offset: index * map.stride };
}

/** 0 or a negative errno, as bpf_map_update_elem. */
export function updateElement(map: VmMap, key: Uint8Array, value: Uint8Array, flags: bigint, cpu = 0): number {
  if (flags > 2n) return -EINVAL;
  const mode = Number(flags);
  if (map.kind === 'array') {
    if (arrayIndex(key) >= map.spec.maxEntries) return -E2BIG;
    if (mode === BPF_NOEXIST) return -EEXIST;
    readElement(map, key, cpu)!.set(value.subarray(0, map.spec.valueSize));
    return 0;
  }
  if (map.kind !== 'hash') return -EINVAL;
  const name = keyName(key);
  let index = map.index.get(name);
  if (index !== undefined && mode === BPF_NOEXIST) return -EEXIST;
  if (index === undefined) {
    if (mode === BPF_EXIST) return -ENOENT;
    if (map.free.length === 0 && map.spec.type === 'lru_hash') evictOldest(map);
    index = map.free.pop();
    if (index === undefined) return -E2BIG;
    map.index.set(name, index);
  }
  const at = index * map.stride;
  map.values.bytes.fill(0, at, at + map.stride);
  map.values.bytes.set(value.subarray(0, map.spec.valueSize), at);
  return 0;
}

/** 0 or a negative errno, as bpf_map_delete_elem. */
export function deleteElement(map: VmMap, key: Uint8Array): number {
  if (map.kind !== 'hash') return -EINVAL;
  const name = keyName(key);
  const index = map.index.get(name);
  if (index === undefined) return -ENOENT;
  map.index.delete(name);
  map.free.push(index);
  return 0;
}

/** Keys of a hash map in the order of their last use (lru_hash) or insertion. */
export function hashKeys(map: VmMap): Uint8Array[] {
  if (map.kind !== 'hash') return [];
  return [...map.index.keys()].map((name) => Uint8Array.from(name, (c) => c.charCodeAt(0)));
}

function evictOldest(map: VmHash): void {
  for (const [name, index] of map.index) {
    map.index.delete(name);
    map.free.push(index);
    return;
  }
}

function arrayIndex(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
}

function keyName(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
