/** Ring buffer helpers. A record in the making is a region of its own, so writing past its end is a fault. */

import type { Machine, VmFunction } from './machine.ts';
import { EINVAL, type VmMap, type VmRingbuf } from './maps.ts';
import { highHalf, mapRegion, requireBytes, unmapRegion, VmFault } from './memory.ts';

const EAGAIN = 11;
/** Bytes before each record (BPF_RINGBUF_HDR_SZ). */
const HEADER = 8;
/** BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP: nobody sleeps here, so they only have to be legal. */
const WAKEUP_FLAGS = 3n;

function ringOf(machine: Machine, handle: bigint): VmRingbuf {
  const map: VmMap | undefined = machine.maps.get(highHalf(handle));
  if (map?.kind !== 'ringbuf' || map.handle !== handle) throw new VmFault('not a ring buffer');
  return map;
}

/** Space a record of `size` bytes takes in the ring. */
function space(size: number): number {
  return Math.ceil((size + HEADER) / 8) * 8;
}

function fits(ring: VmRingbuf, size: number): boolean {
  return ring.used + space(size) <= ring.spec.maxEntries;
}

const reserve: VmFunction = (machine, handle, size, flags) => {
  const ring = ringOf(machine, handle);
  const length = Number(size);
  if (flags !== 0n || !fits(ring, length)) return 0n;
  const region = mapRegion(machine.memory, `record of ring ${ring.spec.name}`, new Uint8Array(length), {
    writable: true,
    strict: true,
  });
  ring.used += space(length);
  ring.reserved.set(region.base, region);
  return region.base;
};

function finish(keep: boolean): VmFunction {
  return (machine, record, flags) => {
    if ((flags & ~WAKEUP_FLAGS) !== 0n) throw new VmFault('ring buffer: unknown flags');
    for (const map of machine.maps.values()) {
      const region = map.kind === 'ringbuf' ? map.reserved.get(record) : undefined;
      if (map.kind !== 'ringbuf' || region === undefined) continue;
      map.reserved.delete(record);
      unmapRegion(machine.memory, region);
      if (keep) map.records.push(region.bytes);
      else map.used -= space(region.bytes.length);
      return 0n;
    }
    throw new VmFault('ring buffer: this record is not reserved');
  };
}

const output: VmFunction = (machine, handle, data, size, flags) => {
  const ring = ringOf(machine, handle);
  if ((flags & ~WAKEUP_FLAGS) !== 0n) return BigInt(-EINVAL);
  const length = Number(size);
  const bytes = requireBytes(machine.memory, data, length, 'bpf_ringbuf_output', 'read');
  if (!fits(ring, length)) return BigInt(-EAGAIN);
  ring.used += space(length);
  ring.records.push(bytes.slice());
  return 0n;
};

export const RINGBUF_HELPERS: readonly (readonly [number, VmFunction])[] = [
  [130, output],
  [131, reserve],
  [132, finish(true)],
  [133, finish(false)],
];

/** Takes all submitted records out of the ring, as its reader does. Throws when one is still reserved. */
export function drainRing(ring: VmRingbuf): Uint8Array[] {
  if (ring.reserved.size > 0) throw new VmFault(`ring ${ring.spec.name}: a record is still reserved`);
  ring.used = 0;
  return ring.records.splice(0);
}
