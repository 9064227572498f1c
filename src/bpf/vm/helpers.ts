/** The helpers that the machine knows, by their number in `enum bpf_func_id`; results as the kernel's. */

import { dynptrRead } from './dynptr.ts';
import { FUNCTION_HI, type VmProgram } from './link.ts';
import { callFunction, type Machine, type VmFunction } from './machine.ts';
import { deleteElement, E2BIG, EINVAL, ENOENT, hashKeys, lookupElement, updateElement, type VmMap } from './maps.ts';
import { bytesAt, highHalf, lowHalf, mapRegion, requireBytes, unmapRegion, VmFault } from './memory.ts';
import { RINGBUF_HELPERS } from './ringbuf.ts';

const EFAULT = 14;
/** MAX_TAIL_CALL_CNT and BPF_MAX_LOOPS of the kernel. */
const MAX_TAIL_CALLS = 33;
const MAX_LOOPS = 1n << 23n;

/** The map that a handle stands for. Throws VmFault for anything else: the verifier would not have let it pass. */
export function mapOf(machine: Machine, handle: bigint): VmMap {
  const map = machine.maps.get(highHalf(handle));
  if (map === undefined || map.handle !== handle) throw new VmFault(`0x${handle.toString(16)} is not a map`);
  return map;
}

function keyAt(machine: Machine, map: VmMap, address: bigint): Uint8Array {
  return requireBytes(machine.memory, address, map.spec.keySize, `key of map ${map.spec.name}`, 'read');
}

const mapLookup: VmFunction = (machine, handle, key) => {
  const map = mapOf(machine, handle);
  return lookupElement(map, keyAt(machine, map, key), machine.environment.cpu);
};

const mapUpdate: VmFunction = (machine, handle, key, value, flags) => {
  const map = mapOf(machine, handle);
  const bytes = requireBytes(machine.memory, value, map.spec.valueSize, `value of map ${map.spec.name}`, 'read');
  return BigInt(updateElement(map, keyAt(machine, map, key), bytes, flags, machine.environment.cpu));
};

const mapDelete: VmFunction = (machine, handle, key) => {
  const map = mapOf(machine, handle);
  return BigInt(deleteElement(map, keyAt(machine, map, key)));
};

/** The target starts over with the same context; an empty slot or too many calls: the caller goes on. */
const tailCall: VmFunction = (machine, context, handle, index) => {
  const map = mapOf(machine, handle);
  if (map.kind !== 'prog_array') throw new VmFault(`map ${map.spec.name} is not a prog_array`);
  const program: VmProgram | undefined = map.programs[lowHalf(index) >>> 0];
  if (program === undefined) return BigInt(-ENOENT);
  if (machine.tailCalls >= MAX_TAIL_CALLS) return BigInt(-E2BIG);
  machine.tailCalls++;
  machine.tailCall = { program, context };
  return 0n;
};

/** Reads anything; what cannot be read becomes zero bytes and -EFAULT. */
const probeReadKernel: VmFunction = (machine, to, size, from) => {
  const length = lowHalf(size) >>> 0;
  const target = requireBytes(machine.memory, to, length, 'bpf_probe_read_kernel', 'write');
  const source = bytesAt(machine.memory, from, length);
  if (source === undefined) {
    target.fill(0);
    return BigInt(-EFAULT);
  }
  target.set(source);
  return 0n;
};

const loop: VmFunction = (machine, count, callback, context, flags) => {
  if (flags !== 0n) return BigInt(-EINVAL);
  const times = BigInt.asUintN(32, count);
  if (times > MAX_LOOPS) return BigInt(-E2BIG);
  if (highHalf(callback) !== FUNCTION_HI || machine.current === undefined) {
    throw new VmFault('bpf_loop: the callback is not a function of the program');
  }
  for (let i = 0n; i < times; i++) {
    const stop = callFunction(machine, machine.current, lowHalf(callback), [i, context]);
    if (stop !== 0n) return i + 1n;
  }
  return times;
};

/** Of hash maps; elements that the callback deletes are not met again. */
const forEachElement: VmFunction = (machine, handle, callback, context, flags) => {
  if (flags !== 0n) return BigInt(-EINVAL);
  const map = mapOf(machine, handle);
  if (highHalf(callback) !== FUNCTION_HI || machine.current === undefined)
    throw new VmFault('bpf_for_each_map_elem: the callback is not a function of the program');
  let met = 0n;
  for (const key of hashKeys(map)) {
    const value = lookupElement(map, key, machine.environment.cpu);
    if (value === 0n) continue;
    const copy = mapRegion(machine.memory, `key of map ${map.spec.name}`, key, { writable: false, strict: true });
    met++;
    const stop = callFunction(machine, machine.current, lowHalf(callback), [handle, copy.base, value, context]);
    unmapRegion(machine.memory, copy);
    if (stop !== 0n) break;
  }
  return met;
};

const spinLock: VmFunction = (machine, lock) => {
  if (machine.heldLock !== undefined) throw new VmFault('bpf_spin_lock: a lock is held already');
  requireBytes(machine.memory, lock, 4, 'bpf_spin_lock', 'write');
  machine.heldLock = lock;
  return 0n;
};

const spinUnlock: VmFunction = (machine, lock) => {
  if (machine.heldLock !== lock) throw new VmFault('bpf_spin_unlock: this lock is not held');
  machine.heldLock = undefined;
  return 0n;
};

const nanoseconds: VmFunction = (machine) => machine.environment.nanoseconds();

/** Numbers as in include/uapi/linux/bpf.h. */
export const HELPERS: ReadonlyMap<number, VmFunction> = new Map<number, VmFunction>([
  [1, mapLookup],
  [2, mapUpdate],
  [3, mapDelete],
  [5, nanoseconds],
  [7, (machine) => BigInt(machine.environment.random() >>> 0)],
  [8, (machine) => BigInt(machine.environment.cpu)],
  [12, tailCall],
  [93, spinLock],
  [94, spinUnlock],
  [113, probeReadKernel],
  [118, (machine) => machine.environment.jiffies()],
  [125, nanoseconds],
  [35, (machine) => machine.task],
  [160, nanoseconds],
  [164, forEachElement],
  [181, loop],
  [201, dynptrRead],
  ...RINGBUF_HELPERS,
]);
