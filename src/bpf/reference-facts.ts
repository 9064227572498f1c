/**
 * Where things lie in Linux 6.18 on x86_64 (HZ=250, two possible CPUs), for everything that runs without asking a
 * kernel: `check`, the virtual machine, tests. Read from that kernel's BTF; a test compares it with the running kernel
 * when that is the same release. All offsets and sizes in bytes, little endian.
 */

import { REFERENCE_ENUMERATORS, REFERENCE_ENVIRONMENT } from './environment-members.ts';
import type { KernelFacts, MemberPlace, NeededMember } from './facts.ts';

const MEMBERS = {
  ...REFERENCE_ENVIRONMENT,
  'bpf_nf_ctx.state': { offset: 0, size: 8 },
  'bpf_nf_ctx.skb': { offset: 8, size: 8 },
  'nf_hook_state.hook': { offset: 0, size: 1 },
  'nf_hook_state.in': { offset: 8, size: 8 },
  'nf_hook_state.out': { offset: 16, size: 8 },
  'nf_hook_state.sk': { offset: 24, size: 8 },
  'nf_hook_state.net': { offset: 32, size: 8 },
  'net_device.name': { offset: 280, size: 16 },
  'net_device.ifindex': { offset: 224, size: 4 },
  'net_device.type': { offset: 536, size: 2 },
  'net_device.hard_header_len': { offset: 180, size: 2 },
  'sk_buff.len': { offset: 112, size: 4 },
  'sk_buff.data_len': { offset: 116, size: 4 },
  'sk_buff.mark': { offset: 164, size: 4 },
  'sk_buff.pkt_type': { offset: 128, size: 1, bitShift: 0, bitCount: 3 },
  'sk_buff.dev': { offset: 16, size: 8 },
  'sk_buff.sk': { offset: 24, size: 8 },
  'sk_buff.head': { offset: 192, size: 8 },
  'sk_buff.end': { offset: 188, size: 4 },
  'sk_buff.data': { offset: 200, size: 8 },
  'sk_buff.mac_header': { offset: 182, size: 2 },
  'sk_buff.mac_len': { offset: 120, size: 2 },
  'sk_buff._nfct': { offset: 104, size: 8 },
  'sk_buff._skb_refdst': { offset: 88, size: 8 },
  'skb_shared_info.gso_size': { offset: 4, size: 2 },
  'skb_shared_info.gso_type': { offset: 24, size: 4 },
  'skb_shared_info.nr_frags': { offset: 2, size: 1 },
  'skb_shared_info.frag_list': { offset: 8, size: 8 },
  'skb_shared_info.frags': { offset: 48, size: 272 },
  'skb_frag.len': { offset: 8, size: 4 },
  'skb_frag.offset': { offset: 12, size: 4 },
  'sk_buff.next': { offset: 0, size: 8 },
  'rtable.rt_type': { offset: 144, size: 2 },
  'rtable.rt_flags': { offset: 140, size: 4 },
  'rt6_info.rt6i_flags': { offset: 216, size: 4 },
  'nf_conn.status': { offset: 128, size: 8 },
  'nf_conn.timeout': { offset: 8, size: 4 },
  'nf_conn.mark': { offset: 168, size: 4 },
  'nf_conn.tuplehash': { offset: 16, size: 112 },
  'nf_conntrack_tuple_hash.tuple': { offset: 16, size: 40 },
  'nf_conntrack_tuple.src': { offset: 0, size: 20 },
  'nf_conntrack_tuple.dst': { offset: 20, size: 20 },
  'sock.sk_socket': { offset: 288, size: 8 },
  'sock_common.skc_state': { offset: 18, size: 1 },
  'sock_common.skc_net': { offset: 48, size: 8 },
  'sock_common.skc_listener': { offset: 96, size: 8 },
  'socket.file': { offset: 16, size: 8 },
  'file.f_cred': { offset: 48, size: 8 },
  'cred.fsuid': { offset: 32, size: 4 },
  'cred.fsgid': { offset: 36, size: 4 },
} as const satisfies Record<NeededMember, MemberPlace>;

/** The reference layout: Linux 6.18, x86_64. */
export const REFERENCE_FACTS: KernelFacts = Object.freeze({
  release: '6.18.44-fc-v657',
  hz: 250,
  possibleCpus: 2,
  preemptRt: false,
  modules: Object.freeze({ recentEntries: 100, recentStamps: 0, hashlimitBuckets: 8192 }),
  members: Object.freeze(MEMBERS),
  enumerators: REFERENCE_ENUMERATORS,
});
