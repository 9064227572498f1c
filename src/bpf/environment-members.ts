/**
 * Members of kernel structures, and numbers of enumerations, that only rules about the packet's surroundings need. A kernel built without one
 * of them still runs all other rules: code that asks for it cannot be made there, and says so.
 */

import type { MemberPlace } from './facts.ts';

export const ENVIRONMENT_MEMBERS = [
  'net_device.group',
  'net_device.index_hlist',
  'net.dev_index_head',
  'dst_entry.tclassid',
  'dst_entry.xfrm',
  'xfrm_dst.child',
  'sk_buff.extensions',
  'sk_buff.active_extensions',
  'skb_ext.offset',
  'nf_bridge_info.physinif',
  'nf_bridge_info.physoutdev',
  'sec_path.len',
  'sec_path.xvec',
  'xfrm_state.id.daddr',
  'xfrm_state.id.spi',
  'xfrm_state.id.proto',
  'xfrm_state.props.reqid',
  'xfrm_state.props.mode',
  'xfrm_state.props.saddr',
  'nf_conn.master',
  'nf_conn.ext',
  'nf_ct_ext.offset',
  'nf_conn_acct.counter',
  'nf_conn_counter.packets',
  'nf_conn_counter.bytes',
  'nf_conn_labels.bits',
  'nf_conn_help.helper',
  'nf_conntrack_helper.name',
  'sock.sk_cgrp_data.classid',
  'sock.sk_cgrp_data.cgroup',
  'cgroup.level',
  'cgroup.ancestors',
  'cgroup.kn',
  'kernfs_node.id',
  'cred.group_info',
  'group_info.ngroups',
  'group_info.gid',
  'hrtimer_cpu_base.clock_base',
  'hrtimer_clock_base.offset',
] as const;
export type EnvironmentMember = (typeof ENVIRONMENT_MEMBERS)[number];

/** `enum name.ENUMERATOR`: their numbers depend on the kernel's configuration. */
export const ENUMERATORS = [
  'nf_ct_ext_id.NF_CT_EXT_HELPER',
  'nf_ct_ext_id.NF_CT_EXT_ACCT',
  'nf_ct_ext_id.NF_CT_EXT_LABELS',
  'skb_ext_id.SKB_EXT_BRIDGE_NF',
  'skb_ext_id.SKB_EXT_SEC_PATH',
  'hrtimer_base_type.HRTIMER_BASE_REALTIME',
] as const;
export type Enumerator = (typeof ENUMERATORS)[number];

/** Linux 6.18, x86_64: see reference-facts.ts. */
export const REFERENCE_ENVIRONMENT = {
  'net_device.group': { offset: 540, size: 4 },
  'net_device.index_hlist': { offset: 1040, size: 16 },
  'net.dev_index_head': { offset: 400, size: 8 },
  'dst_entry.tclassid': { offset: 100, size: 4 },
  'dst_entry.xfrm': { offset: 32, size: 8 },
  'xfrm_dst.child': { offset: 232, size: 8 },
  'sk_buff.extensions': { offset: 216, size: 8 },
  'sk_buff.active_extensions': { offset: 127, size: 1 },
  'skb_ext.offset': { offset: 4, size: 3 },
  'nf_bridge_info.physinif': { offset: 4, size: 4 },
  'nf_bridge_info.physoutdev': { offset: 8, size: 8 },
  'sec_path.len': { offset: 0, size: 4 },
  'sec_path.xvec': { offset: 16, size: 48 },
  'xfrm_state.id.daddr': { offset: 116, size: 16 },
  'xfrm_state.id.spi': { offset: 132, size: 4 },
  'xfrm_state.id.proto': { offset: 136, size: 1 },
  'xfrm_state.props.reqid': { offset: 248, size: 4 },
  'xfrm_state.props.mode': { offset: 252, size: 1 },
  'xfrm_state.props.saddr': { offset: 260, size: 16 },
  'nf_conn.master': { offset: 160, size: 8 },
  'nf_conn.ext': { offset: 176, size: 8 },
  'nf_ct_ext.offset': { offset: 0, size: 9 },
  'nf_conn_acct.counter': { offset: 0, size: 32 },
  'nf_conn_counter.packets': { offset: 0, size: 8 },
  'nf_conn_counter.bytes': { offset: 8, size: 8 },
  'nf_conn_labels.bits': { offset: 0, size: 16 },
  'nf_conn_help.helper': { offset: 0, size: 8 },
  'nf_conntrack_helper.name': { offset: 16, size: 16 },
  'sock.sk_cgrp_data.classid': { offset: 680, size: 4 },
  'sock.sk_cgrp_data.cgroup': { offset: 672, size: 8 },
  'cgroup.level': { offset: 216, size: 4 },
  'cgroup.ancestors': { offset: 2224, size: 0 },
  'cgroup.kn': { offset: 256, size: 8 },
  'kernfs_node.id': { offset: 96, size: 8 },
  'cred.group_info': { offset: 160, size: 8 },
  'group_info.ngroups': { offset: 4, size: 4 },
  'group_info.gid': { offset: 8, size: 0 },
  'hrtimer_cpu_base.clock_base': { offset: 64, size: 512 },
  'hrtimer_clock_base.offset': { offset: 48, size: 8 },
} as const satisfies Record<EnvironmentMember, MemberPlace>;

export const REFERENCE_ENUMERATORS = {
  'nf_ct_ext_id.NF_CT_EXT_HELPER': 0,
  'nf_ct_ext_id.NF_CT_EXT_ACCT': 3,
  'nf_ct_ext_id.NF_CT_EXT_LABELS': 7,
  'skb_ext_id.SKB_EXT_BRIDGE_NF': 0,
  'skb_ext_id.SKB_EXT_SEC_PATH': 1,
  'hrtimer_base_type.HRTIMER_BASE_REALTIME': 1,
} as const satisfies Record<Enumerator, number>;
