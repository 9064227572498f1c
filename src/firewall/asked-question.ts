/** Questions as the kernel's own matches: their structures, byte for byte as iptables fills them. */

import type { AskedQuestion } from '../kernel/ask-chain.ts';
import { setIndex } from '../kernel/ipset.ts';
import { matchExtension, matchPinnedProgram } from '../kernel/nft-objects.ts';
import type { Question, SetQuestion } from '../policy/question.ts';

const TCP = 6;

/** How a question is put; the names in it are looked up now, in the calling thread's network namespace. @throws SyscallError */
export function askedQuestion(question: Question): AskedQuestion {
  switch (question.kind) {
    case 'set':
      return { expression: matchExtension('set', 4, setInfo(question)), needs: 'CONFIG_NETFILTER_XT_SET' };
    case 'osf':
      return {
        expression: matchExtension('osf', 0, osfInfo(question)),
        needs: 'CONFIG_NETFILTER_XT_MATCH_OSF',
        protocol: TCP,
      };
    case 'socket': {
      const info = new Uint8Array(8);
      info[0] = (question.transparent ? SOCKET.TRANSPARENT : 0) | (question.nowildcard ? SOCKET.NOWILDCARD : 0);
      return { expression: matchExtension('socket', 3, info), needs: 'CONFIG_NETFILTER_XT_MATCH_SOCKET' };
    }
    case 'program':
      return { expression: matchPinnedProgram(question.path), needs: 'CONFIG_NETFILTER_XT_MATCH_BPF' };
  }
}

/** include/uapi/linux/netfilter/xt_socket.h */
const SOCKET = { TRANSPARENT: 1, NOWILDCARD: 2 } as const;
/** include/uapi/linux/netfilter/nf_osf.h */
const OSF = { TTL: 2, INVERT: 8, GENRE_BYTES: 32 } as const;
/** enum ip_set_... of include/uapi/linux/netfilter/ipset/ip_set.h */
const SKIP_COUNTERS = (1 << 3) | (1 << 4);
const RETURN_NOMATCH = 1 << 7;
const COMPARISON = { eq: 1, ne: 2, lt: 3, gt: 4 } as const;

/** struct xt_set_info_match_v4: index u16, dimensions u8, sides u8, packets and bytes (value u64, how u8), flags u32. */
function setInfo({ name, sides, returnNomatch, packets, bytes }: SetQuestion): Uint8Array {
  const info = new Uint8Array(48);
  const view = new DataView(info.buffer);
  view.setUint16(0, setIndex(name), true);
  info[2] = sides.length;
  // Bit 0 would invert; then one bit for each dimension, set for the source.
  info[3] = sides.reduce((bits, side, at) => (side === 'src' ? bits | (2 << at) : bits), 0);
  for (const [at, comparison] of [
    [8, packets],
    [24, bytes],
  ] as const) {
    if (comparison === undefined) continue;
    view.setBigUint64(at, comparison.value, true);
    info[at + 8] = COMPARISON[comparison.how];
  }
  view.setUint32(40, SKIP_COUNTERS | (returnNomatch ? RETURN_NOMATCH : 0), true);
  return info;
}

/** struct nf_osf_info: genre[32], length u32, flags u32, log level u32, ttl u32. */
function osfInfo({ genre, invert, ttl }: Extract<Question, { kind: 'osf' }>): Uint8Array {
  const info = new Uint8Array(48);
  const view = new DataView(info.buffer);
  const text = Buffer.from(genre, 'utf8').subarray(0, OSF.GENRE_BYTES - 1);
  info.set(text);
  view.setUint32(32, text.length, true);
  view.setUint32(36, (ttl === undefined ? 0 : OSF.TTL) | (invert ? OSF.INVERT : 0), true);
  view.setUint32(44, ttl ?? 0, true);
  return info;
}
