/** Number iterators: `struct bpf_iter_num_kern` { int cur; int end; } in 8 bytes of the program's stack. */

import type { Machine, VmFunction } from './machine.ts';
import { E2BIG, EINVAL } from './maps.ts';
import { requireBytes } from './memory.ts';

/** BPF_MAX_LOOPS */
const MAX_LOOPS = 1 << 23;

function viewAt(machine: Machine, pointer: bigint): DataView {
  const bytes = requireBytes(machine.memory, pointer, 8, 'bpf_iter_num', 'write');
  return new DataView(bytes.buffer, bytes.byteOffset, 8);
}

function set(view: DataView, current: number, end: number): void {
  view.setInt32(0, current, true);
  view.setInt32(4, end, true);
}

/** `int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end)` */
export const iteratorNew: VmFunction = (machine, pointer, first, last) => {
  const view = viewAt(machine, pointer);
  const start = Number(BigInt.asIntN(32, first));
  const end = Number(BigInt.asIntN(32, last));
  set(view, 0, 0);
  if (start > end) return BigInt(-EINVAL);
  if (end - start > MAX_LOOPS) return BigInt(-E2BIG);
  set(view, start - 1, end);
  return 0n;
};

/** `int *bpf_iter_num_next(struct bpf_iter_num *it)`: NULL at the end. */
export const iteratorNext: VmFunction = (machine, pointer) => {
  const view = viewAt(machine, pointer);
  // start - 1 may have wrapped; the kernel adds in 32 bits.
  const next = (view.getInt32(0, true) + 1) | 0;
  const end = view.getInt32(4, true);
  if (next >= end) {
    set(view, 0, 0);
    return 0n;
  }
  set(view, next, end);
  return pointer;
};

/** `void bpf_iter_num_destroy(struct bpf_iter_num *it)` */
export const iteratorDestroy: VmFunction = (machine, pointer) => {
  set(viewAt(machine, pointer), 0, 0);
  return 0n;
};
