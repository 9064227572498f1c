/**
 * The fields a policy can ask about: one table, read by the evaluator, the code generators, the packet generator of the
 * tests and the explainer. A field is an unsigned integer of `bits` bits in host order (a 4-byte address 10.0.0.1 is
 * 0x0a000001, whatever the machine), so intervals mean what a person expects.
 *
 * Awkward header states are fields too: `transport.length` is how many bytes can be read from the transport header on,
 * so "truncated: drop" and "later fragment: no match" are ordinary tests.
 */

import { ENVIRONMENT_FIELDS } from './environment-fields.ts';

export interface FieldSpec {
  readonly bits: 1 | 8 | 16 | 32 | 48 | 64 | 128;
  readonly family?: 'ipv4' | 'ipv6';
  /** What has to be prepared before the field may be read. */
  readonly needs: 'nothing' | 'transport' | 'conntrack' | 'socket' | 'route' | 'mac' | 'device';
  readonly doc: string;
}

export const FIELDS = {
  ...ENVIRONMENT_FIELDS,
  // skb and hook
  'meta.length': { bits: 32, needs: 'nothing', doc: 'skb->len: L3 length of the packet or aggregate' },
  'meta.mark': { bits: 32, needs: 'nothing', doc: 'skb->mark' },
  'meta.pkttype': {
    bits: 8,
    needs: 'nothing',
    doc: 'skb->pkt_type: 0 host, 1 broadcast, 2 multicast, 3 otherhost, 5 loopback',
  },
  'meta.iifname': {
    bits: 128,
    needs: 'device',
    doc: 'name of the input device, IFNAMSIZ bytes, first character in the top byte; all zero without a device',
  },
  'meta.oifname': { bits: 128, needs: 'device', doc: 'name of the output device, as meta.iifname' },
  // IPv4
  'ip.saddr': { bits: 32, family: 'ipv4', needs: 'nothing', doc: 'source address' },
  'ip.daddr': { bits: 32, family: 'ipv4', needs: 'nothing', doc: 'destination address' },
  'ip.protocol': { bits: 8, family: 'ipv4', needs: 'nothing', doc: 'protocol' },
  'ip.fragOffset': {
    bits: 16,
    family: 'ipv4',
    needs: 'nothing',
    doc: 'fragment offset in units of 8 bytes, without the flags',
  },
  'ip.ttl': { bits: 8, family: 'ipv4', needs: 'nothing', doc: 'time to live' },
  'ip.tos': { bits: 8, family: 'ipv4', needs: 'nothing', doc: 'type of service' },
  'ip.totalLength': {
    bits: 32,
    family: 'ipv4',
    needs: 'nothing',
    doc: 'iph->tot_len, or skb->len when it is 0 in a GSO packet (iph_totlen)',
  },
  // IPv6
  'ip6.saddr': { bits: 128, family: 'ipv6', needs: 'nothing', doc: 'source address' },
  'ip6.daddr': { bits: 128, family: 'ipv6', needs: 'nothing', doc: 'destination address' },
  'ip6.hopLimit': { bits: 8, family: 'ipv6', needs: 'nothing', doc: 'hop limit' },
  'ip6.chain': {
    bits: 8,
    family: 'ipv6',
    needs: 'transport',
    doc: 'result of ipv6_find_hdr(target -1): 0 found, 1 not found and fragment offset 0 (rules with -p drop the packet)',
  },
  'ip6.protocol': {
    bits: 8,
    family: 'ipv6',
    needs: 'transport',
    doc: 'the protocol that ipv6_find_hdr found; 0 when ip6.chain is not 0',
  },
  'ip6.fragOffset': {
    bits: 16,
    family: 'ipv6',
    needs: 'transport',
    doc: 'offset of a later fragment in bytes, else 0',
  },
  // Transport header; meaningful only behind the fragment and length tests that a match puts before them
  'transport.length': {
    bits: 32,
    needs: 'transport',
    doc: 'bytes of the packet from the transport header on: max(0, skb->len - thoff)',
  },
  'transport.sport': { bits: 16, needs: 'transport', doc: 'bytes 0-1 of the transport header' },
  'transport.dport': { bits: 16, needs: 'transport', doc: 'bytes 2-3 of the transport header' },
  'tcp.flags': { bits: 8, needs: 'transport', doc: 'byte 13 of the TCP header: CWR ECE URG ACK PSH RST SYN FIN' },
  'tcp.headerLength': { bits: 8, needs: 'transport', doc: 'data offset in bytes: doff * 4' },
  'icmp.type': { bits: 8, needs: 'transport', doc: 'byte 0 of the ICMP or ICMPv6 header' },
  'icmp.code': { bits: 8, needs: 'transport', doc: 'byte 1 of the ICMP or ICMPv6 header' },
  // Link layer
  'mac.present': {
    bits: 1,
    needs: 'mac',
    doc: '1 if skb->dev is ARPHRD_ETHER and a MAC header of at least 14 bytes lies before the data (xt_mac)',
  },
  'mac.saddr': { bits: 48, needs: 'mac', doc: 'Ethernet source address' },
  'mac.eui64': {
    bits: 8,
    family: 'ipv6',
    needs: 'mac',
    doc: 'ip6t_eui64: 1 if the lower half of the source address was made of the Ethernet source address; 2 if skb->dev is ARPHRD_ETHER, but there is no MAC header of at least 14 bytes; else 0',
  },
  // Conntrack (skb->_nfct)
  'ct.present': { bits: 1, needs: 'conntrack', doc: '1 if the packet has a conntrack entry' },
  'ct.info': {
    bits: 8,
    needs: 'conntrack',
    doc: 'enum ip_conntrack_info, the low 3 bits of skb->_nfct; 7 is IP_CT_UNTRACKED',
  },
  'ct.status': { bits: 32, needs: 'conntrack', doc: 'ct->status (IPS_*), 0 without ct' },
  'ct.mark': { bits: 32, needs: 'conntrack', doc: 'ct->mark' },
  'ct.expires': {
    bits: 32,
    needs: 'conntrack',
    doc: 'nf_ct_expires(ct) / HZ: whole seconds until the entry times out',
  },
  'ct.protonum': { bits: 8, needs: 'conntrack', doc: 'protocol of the original tuple' },
  'ct.orig.saddr': { bits: 128, needs: 'conntrack', doc: 'original source; an IPv4 address lies in the low 32 bits' },
  'ct.orig.daddr': { bits: 128, needs: 'conntrack', doc: 'original destination, as ct.orig.saddr' },
  'ct.repl.saddr': { bits: 128, needs: 'conntrack', doc: 'reply source, as ct.orig.saddr' },
  'ct.repl.daddr': { bits: 128, needs: 'conntrack', doc: 'reply destination, as ct.orig.saddr' },
  'ct.orig.sport': { bits: 16, needs: 'conntrack', doc: 'original source port (tuple.src.u.all, host order)' },
  'ct.orig.dport': { bits: 16, needs: 'conntrack', doc: 'original destination port' },
  'ct.repl.sport': { bits: 16, needs: 'conntrack', doc: 'reply source port' },
  'ct.repl.dport': { bits: 16, needs: 'conntrack', doc: 'reply destination port' },
  // Socket (xt_owner): skb_to_full_sk(skb) of this network namespace
  'socket.state': {
    bits: 8,
    needs: 'socket',
    doc: '0 no full socket with an inode in this namespace, 1 socket without a file, 2 socket with a file',
  },
  'socket.uid': { bits: 32, needs: 'socket', doc: 'file->f_cred->fsuid, when socket.state is 2' },
  'socket.gid': { bits: 32, needs: 'socket', doc: 'file->f_cred->fsgid, when socket.state is 2' },
  // What the kernel was asked just before (question.ts): answer n is bit n % 64 of word n / 64
  'asked.0': { bits: 64, needs: 'nothing', doc: "the kernel's answers 0 to 63 about this packet, one bit each" },
  'asked.1': { bits: 64, needs: 'nothing', doc: 'answers 64 to 127' },
  'asked.2': { bits: 64, needs: 'nothing', doc: 'answers 128 to 191' },
  'asked.3': { bits: 64, needs: 'nothing', doc: 'answers 192 to 255' },
  'socket.own': {
    bits: 1,
    needs: 'socket',
    doc: '1 if the packet has a socket of any kind of this network namespace (skb->sk, xt_recent)',
  },
  // Routing
  'route.dstType': {
    bits: 8,
    needs: 'route',
    doc: "RTN_* of the destination as the packet's route knows it (rtable.rt_type; IPv6: from rt6_info flags); 0 without a route",
  },
} as const satisfies Record<string, FieldSpec>;

export type FieldName = keyof typeof FIELDS;
