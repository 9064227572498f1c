/** The counters of a family as memory: summed over the CPUs, and changed in the stride that no CPU counts in. */

import { COUNTER_BYTES } from '../codegen/netfilter/counters.ts';
import type { MapMemory } from '../kernel/map-memory.ts';
import type { Counters } from '../rules/model.ts';

export interface CounterStrides {
  sum(slot: number): Counters;
  /** Whether nothing has ever been counted there; quicker than the sum. */
  isZero(slot: number): boolean;
  /** Adds to what `sum` says, exactly, whatever packets are counted meanwhile. Call it alone. */
  add(slot: number, packets: bigint, bytes: bigint): void;
  close(): void;
}

/** `cpus` counts the stride of no CPU, which is the last. */
export function counterStrides(memory: MapMemory, counterStride: number, cpus: number): CounterStrides {
  const { bytes } = memory;
  const halves = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 3);
  const sumWord = (at: number): bigint => {
    let [low, high] = [0, 0];
    for (let cpu = 0; cpu < cpus; cpu++) {
      const place = (cpu * counterStride + at) >>> 2;
      let top = halves[place + 1]!;
      let bottom = halves[place]!;
      // A carry between the two looks would be seen as a different upper half.
      for (let again = halves[place + 1]!; again !== top; again = halves[place + 1]!) {
        top = again;
        bottom = halves[place]!;
      }
      low += bottom;
      high += top;
    }
    if (high === 0) return BigInt(low);
    return BigInt.asUintN(64, (BigInt(high) << 32n) + BigInt(low));
  };
  return {
    isZero(slot) {
      for (let cpu = 0; cpu < cpus; cpu++) {
        const place = (cpu * counterStride + slot * COUNTER_BYTES) >>> 2;
        if ((halves[place]! | halves[place + 1]! | halves[place + 2]! | halves[place + 3]!) !== 0) return false;
      }
      return true;
    },
    sum: (slot) => ({ packets: sumWord(slot * COUNTER_BYTES), bytes: sumWord(slot * COUNTER_BYTES + 8) }),
    add(slot, packets, count) {
      const at = ((cpus - 1) * counterStride + slot * COUNTER_BYTES) >>> 3;
      words[at] = words[at]! + packets;
      words[at + 1] = words[at + 1]! + count;
    },
    close: () => memory.close(),
  };
}
