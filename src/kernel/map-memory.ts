/**
 * The value of an array map as memory of this process: what is stored is there for programs at once, without a system call.
 *
 * Programs may be reading. A change is therefore written to bytes that no program looks at, and then put into force
 * with one aligned store of 32 bits, which a reader sees as a whole or not at all.
 */
import type { BpfMap } from './map.ts';
import { mapMemory, PROT } from './syscall.ts';

/** `map_flags` with which an array map can be mapped (include/uapi/linux/bpf.h). Its values then begin on a page. */
export const BPF_F_MMAPABLE = 1 << 10;

/** Bytes at an offset, and a 32-bit store that comes behind all of them; a multiple of four. */
export interface MemoryChange {
  readonly writes: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  readonly commit: { readonly offset: number; readonly value: number };
}

/** The mapped value of a map. close() ends the mapping; the map stays as it is. */
export interface MapMemory {
  readonly bytes: Uint8Array;
  /** Writes a change: the bytes, then the store. @throws RangeError beyond the value, with nothing written */
  apply(change: MemoryChange): void;
  close(): void;
}

/** Maps the one value of an array map made with BPF_F_MMAPABLE. @throws SyscallError; RangeError for maps of another kind */
export function openMapMemory(map: BpfMap): MapMemory {
  if (map.type !== 'array' || map.maxEntries !== 1)
    throw new RangeError(`map ${map.name} is not an array of one element`);
  const memory = mapMemory(map.fd, map.valueSize, 0, PROT.READ | PROT.WRITE);
  const bytes = memory.bytes.subarray(0, map.valueSize);
  const words = new Uint32Array(memory.bytes.buffer, memory.bytes.byteOffset, map.valueSize >>> 2);
  return {
    bytes,
    apply({ writes, commit }) {
      if (commit.offset % 4 !== 0 || commit.offset / 4 >= words.length)
        throw new RangeError('the store is outside of the map');
      for (const { offset, bytes: part } of writes) {
        if (offset + part.length > bytes.length) throw new RangeError('a write is outside of the map');
      }
      for (const { offset, bytes: part } of writes) bytes.set(part, offset);
      // One instruction on both architectures, and no store above may come behind it (sequentially consistent).
      Atomics.store(words, commit.offset / 4, commit.value);
    },
    close() {
      memory.close();
    },
  };
}
