/**
 * Programs and maps as data: what a compiler makes and a loader creates. No file descriptors, no kernel, serialisable.
 */

export type ProgramType = 'netfilter' | 'socket_filter' | 'xdp' | 'sched_cls';

/** A value that is known only when the program is loaded. `slot` is the index of the 8-byte instruction to patch. */
export type Relocation =
  /** `lddw rX, map` (BPF_PSEUDO_MAP_FD). */
  | { readonly slot: number; readonly kind: 'map'; readonly map: string }
  /** `lddw rX, &map_value + offset` (BPF_PSEUDO_MAP_VALUE, one-element ARRAY maps). */
  | { readonly slot: number; readonly kind: 'mapValue'; readonly map: string; readonly offset: number }
  /** `call kfunc` (BPF_PSEUDO_KFUNC_CALL): imm becomes the BTF id of the function in vmlinux. */
  | { readonly slot: number; readonly kind: 'kfunc'; readonly name: string }
  /** imm becomes the BTF id of `struct name` in vmlinux. */
  | { readonly slot: number; readonly kind: 'struct'; readonly name: string };

export interface ProgramSpec {
  /** At most 15 characters [A-Za-z0-9_.]. */
  readonly name: string;
  readonly type: ProgramType;
  readonly license: 'GPL';
  /** Encoded instructions, 8 bytes each, little endian. */
  readonly insns: Uint8Array;
  readonly relocations: readonly Relocation[];
  /** Functions that the verifier looks at on their own, once, for any arguments, instead of at each call. */
  readonly globals?: readonly GlobalFunction[];
}

export interface GlobalFunction extends GlobalArguments {
  /** Where it begins. */
  readonly slot: number;
}

export interface GlobalArguments {
  /** Its first argument is the program's context (netfilter programs only). */
  readonly context?: true;
  /** How many numbers of 64 bits it takes (behind that); it returns an int. */
  readonly args: number;
}

export type MapType = 'array' | 'percpu_array' | 'hash' | 'prog_array' | 'ringbuf' | 'lru_hash';

export interface MapSpec {
  /** At most 15 characters. */
  readonly name: string;
  readonly type: MapType;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** Values begin with a `struct bpf_spin_lock`, which bpf_spin_lock takes and nothing else touches. */
  readonly locked?: true;
  /** One-element ARRAY maps: the value to write before any program runs. */
  readonly initial?: Uint8Array;
}

/** Instructions of a program: its length in 8-byte slots. */
export function slotCount(program: ProgramSpec): number {
  return program.insns.length / 8;
}
