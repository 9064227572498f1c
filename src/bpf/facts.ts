import type { Enumerator, EnvironmentMember } from './environment-members.ts';

/**
 * What the compiler has to know about the kernel it compiles for, as data: read from BTF by `kernel/`, or the reference
 * layout of `reference-facts.ts` when there is no kernel to ask (`check`, the virtual machine, a browser).
 */
export interface KernelFacts {
  /** `uname -r`, for messages only. */
  readonly release: string;
  /** Timer ticks a second (CONFIG_HZ): limit's credits depend on it. */
  readonly hz: number;
  /** Number of possible CPUs: counters have one stride for each. */
  readonly possibleCpus: number;
  /** PREEMPT_RT: softirqs can be preempted, so every counter must be atomic. */
  readonly preemptRt: boolean;
  /** What the modules of matches would use. */
  readonly modules: ModuleFacts;
  /** `struct.member` (nested members with dots, e.g. `nf_conn.tuplehash`) to place and width. */
  readonly members: Readonly<Record<string, MemberPlace>>;
  /** Numbers of enumerators; one that this kernel lacks is absent. */
  readonly enumerators: Readonly<Partial<Record<Enumerator, number>>>;
}

export interface ModuleFacts {
  /** ip_list_tot of xt_recent: how many addresses a list holds. */
  readonly recentEntries: number;
  /** ip_pkt_list_tot of xt_recent: how many times of an address; 0: what rules ask for, at least 32. */
  readonly recentStamps: number;
  /** Buckets of a hashlimit table that does not say how many: they depend on the memory. */
  readonly hashlimitBuckets: number;
}

/** Offset and size in bytes; a bit field has `bitShift` and `bitCount` within the little-endian integer at `offset`. */
export interface MemberPlace {
  readonly offset: number;
  readonly size: number;
  readonly bitShift?: number;
  readonly bitCount?: number;
}

/** Every member that any generated code may read: all of them must be there. Those of ENVIRONMENT_MEMBERS may be missing. */
export const NEEDED_MEMBERS = [
  'bpf_nf_ctx.state',
  'bpf_nf_ctx.skb',
  'nf_hook_state.hook',
  'nf_hook_state.in',
  'nf_hook_state.out',
  'nf_hook_state.sk',
  'nf_hook_state.net',
  'net_device.name',
  'net_device.ifindex',
  'net_device.type',
  'net_device.hard_header_len',
  'sk_buff.len',
  'sk_buff.data_len',
  'sk_buff.mark',
  'sk_buff.pkt_type',
  'sk_buff.dev',
  'sk_buff.sk',
  'sk_buff.head',
  'sk_buff.end',
  'sk_buff.data',
  'sk_buff.mac_header',
  'sk_buff.mac_len',
  'sk_buff._nfct',
  'sk_buff._skb_refdst',
  'skb_shared_info.gso_size',
  'skb_shared_info.gso_type',
  'skb_shared_info.nr_frags',
  'skb_shared_info.frag_list',
  'skb_shared_info.frags',
  'skb_frag.len',
  'skb_frag.offset',
  'sk_buff.next',
  'rtable.rt_type',
  'rtable.rt_flags',
  'rt6_info.rt6i_flags',
  'nf_conn.status',
  'nf_conn.timeout',
  'nf_conn.mark',
  'nf_conn.tuplehash',
  'nf_conntrack_tuple_hash.tuple',
  'nf_conntrack_tuple.src',
  'nf_conntrack_tuple.dst',
  'sock.sk_socket',
  'sock_common.skc_state',
  'sock_common.skc_net',
  'sock_common.skc_listener',
  'socket.file',
  'file.f_cred',
  'cred.fsuid',
  'cred.fsgid',
] as const;
export type NeededMember = (typeof NEEDED_MEMBERS)[number] | EnvironmentMember;
