/**
 * What rules name but a machine has: ipsets, pinned programs. Read before lowering where there is a machine (`firewall/objects.ts`);
 * `check` lowers without, and takes every name for one that exists and suits.
 */
export interface KernelObjects {
  /** By name; a name that is missing here does not exist. */
  readonly sets: ReadonlyMap<string, SetFacts>;
  /** Pinned socket filters by path; a path that is missing here leads to none. */
  readonly programs: ReadonlyMap<string, ProgramFacts>;
}

export interface SetFacts {
  /** `hash:ip` */
  readonly type: string;
  /** A match in it counts, because it or a member of it (list:set) has counters. */
  readonly counters: boolean;
  /** A match in it can change it otherwise: an element of a bitmap:ip,mac without MAC address takes the packet's. */
  readonly completes: boolean;
}

export interface ProgramFacts {
  /** It has maps, so that running it can have effects. */
  readonly maps: boolean;
}
