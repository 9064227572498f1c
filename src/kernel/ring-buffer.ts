/**
 * The reading side of a BPF ring buffer (kernel/bpf/ringbuf.c).
 *
 *     page 0            consumer position (u64), ours to write
 *     page 1            producer position (u64), read only
 *     pages 2..         data, mapped twice in a row, so that a record never wraps
 *
 *     record: u32 length with BUSY (bit 31) and DISCARD (bit 30), u32 page offset, then the bytes, rounded up to 8
 */

import { readFileSync } from 'node:fs';
import { ERRNO, SyscallError } from './errno.ts';
import type { BpfMap } from './map.ts';
import { mapMemory, PROT, syscallAsync, trySyscall } from './syscall.ts';

const BUSY = 0x8000_0000;
const DISCARD = 0x4000_0000;
const HEADER = 8;
const POLLIN = 1;

export interface RingBuffer {
  /** Waits up to `timeoutMs` (0: not at all) for records and returns copies of all there are, oldest first. Blocks the thread. */
  poll(timeoutMs: number): Uint8Array[];
  /** The same without blocking the thread: waits on another. */
  wait(timeoutMs: number): Promise<Uint8Array[]>;
  close(): void;
}

/** Opens a `ringbuf` map for reading; there must be only one reader. The map stays the caller's. */
export function openRingBuffer(map: BpfMap): RingBuffer {
  if (map.type !== 'ringbuf') throw new TypeError(`map ${map.name} is no ring buffer`);
  const page = pageSize();
  const size = map.maxEntries;
  const consumer = mapMemory(map.fd, page, 0, PROT.READ | PROT.WRITE);
  let producer: ReturnType<typeof mapMemory>;
  try {
    producer = mapMemory(map.fd, page + 2 * size, page, PROT.READ);
  } catch (error) {
    consumer.close();
    throw error;
  }
  // Atomics on these: sequentially consistent, so at least the acquire and release that the kernel pairs with.
  const consumerPosition = new BigInt64Array(consumer.bytes.buffer, 0, 1);
  const producerPosition = new BigInt64Array(producer.bytes.buffer, 0, 1);
  const headers = new Int32Array(producer.bytes.buffer, page);
  const data = producer.bytes.subarray(page);
  const mask = BigInt(size - 1);
  let open = true;

  function drain(): Uint8Array[] {
    if (!open) return [];
    const records: Uint8Array[] = [];
    let position = Atomics.load(consumerPosition, 0);
    const end = Atomics.load(producerPosition, 0);
    while (position < end) {
      const at = Number(position & mask);
      const header = Atomics.load(headers, at / 4) >>> 0;
      // Reserved but not yet submitted: everything behind it has to wait.
      if (header & BUSY) break;
      const length = header & ~(BUSY | DISCARD);
      if ((header & DISCARD) === 0) records.push(data.slice(at + HEADER, at + HEADER + length));
      position += BigInt(Math.ceil((HEADER + length) / 8) * 8);
    }
    Atomics.store(consumerPosition, 0, position);
    return records;
  }

  function pollArguments(timeoutMs: number): readonly [Uint8Array, number, Uint8Array] {
    const fds = new Uint8Array(8); // struct pollfd: fd, events, revents
    const view = new DataView(fds.buffer);
    view.setInt32(0, map.fd, true);
    view.setInt16(4, POLLIN, true);
    const time = new Uint8Array(16); // struct timespec
    const timeView = new DataView(time.buffer);
    timeView.setBigInt64(0, BigInt(Math.floor(timeoutMs / 1000)), true);
    timeView.setBigInt64(8, BigInt(Math.floor((timeoutMs % 1000) * 1e6)), true);
    return [fds, 1, time];
  }

  return {
    poll(timeoutMs) {
      const ready = drain();
      if (ready.length > 0 || timeoutMs <= 0) return ready;
      const [fds, count, time] = pollArguments(timeoutMs);
      const result = trySyscall('ppoll', fds, count, time, 0, 0);
      if (result < 0 && result !== -ERRNO.EINTR.number) throw new SyscallError('ppoll', -result, `map ${map.name}`);
      return drain();
    },
    async wait(timeoutMs) {
      const ready = drain();
      if (ready.length > 0 || timeoutMs <= 0) return ready;
      await syscallAsync('ppoll', pollArguments(timeoutMs));
      return drain();
    },
    close() {
      if (!open) return;
      open = false;
      consumer.close();
      producer.close();
    },
  };
}

const AT_PAGESZ = 6n;

/** The size of the machine's pages, from the vector the kernel gives every process: pairs of u64 key and value. */
function pageSize(): number {
  const vector = readFileSync('/proc/self/auxv');
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
  }
  return 4096;
}
