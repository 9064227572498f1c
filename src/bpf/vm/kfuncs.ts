/** The kernel functions that the machine knows, by name. */

import { dynptrFromSkb, dynptrSize, dynptrSlice } from './dynptr.ts';
import { iteratorDestroy, iteratorNew, iteratorNext } from './iterator.ts';
import type { VmFunction } from './machine.ts';

/** A cast is a move: the types are the verifier's business. */
const same: VmFunction = (_machine, pointer) => pointer;

export const KFUNCS: readonly { readonly name: string; readonly run: VmFunction }[] = Object.freeze([
  { name: 'bpf_rdonly_cast', run: same },
  { name: 'bpf_cast_to_kern_ctx', run: same },
  { name: 'bpf_dynptr_from_skb', run: dynptrFromSkb },
  { name: 'bpf_dynptr_slice', run: dynptrSlice },
  { name: 'bpf_dynptr_size', run: dynptrSize },
  { name: 'bpf_iter_num_new', run: iteratorNew },
  { name: 'bpf_iter_num_next', run: iteratorNext },
  { name: 'bpf_iter_num_destroy', run: iteratorDestroy },
]);
