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
      info[0] =
        (question.transparent ? SOCKET.TRANSPARENT : 0) |
        (question.nowildcard ? SOCKET.NOWILDCARD : 0) |
        (question.restoreMark === true ? SOCKET.RESTORESKMARK : 0);
      return { expression: matchExtension('socket', 3, info), needs: 'CONFIG_NETFILTER_XT_MATCH_SOCKET' };
    }
    case 'program':
      return { expression: matchPinnedProgram(question.path), needs: 'CONFIG_NETFILTER_XT_MATCH_BPF' };
    case 'classic':
      return { expression: matchExtension('bpf', 1, classicInfo(question)), needs: 'CONFIG_NETFILTER_XT_MATCH_BPF' };
    case 'reversePath':
      return {
        expression: matchExtension('rpfilter', 0, Uint8Array.of(question.flags, 0, 0, 0, 0, 0, 0, 0)),
        needs: 'CONFIG_IP_NF_MATCH_RPFILTER',
      };
    case 'reversePathAsked':
      return { needs: 'CONFIG_NETFILTER_XT_MATCH_BPF' };
    case 'extension':
      return {
        expression: matchExtension(question.name, question.revision, Uint8Array.from(question.info)),
        needs: `CONFIG_NETFILTER_XT_MATCH_${question.name.toUpperCase()}`,
        ...(question.protocol === undefined ? {} : { protocol: question.protocol }),
      };
    case 'rateest':
      return {
        expression: matchExtension('rateest', 0, rateInfo(question)),
        needs: 'CONFIG_NETFILTER_XT_MATCH_RATEEST',
      };
  }
}

/** include/uapi/linux/netfilter/xt_socket.h */
const SOCKET = { TRANSPARENT: 1, NOWILDCARD: 2, RESTORESKMARK: 4 } as const;
/** include/uapi/linux/netfilter/nf_osf.h */
const OSF = { TTL: 2, INVERT: 8, GENRE_BYTES: 32 } as const;
/** enum ip_set_... of include/uapi/linux/netfilter/ipset/ip_set.h */
const SKIP_COUNTERS = 1 << 3;
const SKIP_SUBCOUNTERS = 1 << 4;
const RETURN_NOMATCH = 1 << 7;
const COMPARISON = { eq: 1, ne: 2, lt: 3, gt: 4 } as const;

/** struct xt_set_info_match_v4: index u16, dimensions u8, sides u8, packets and bytes (value u64, how u8), flags u32. */
function setInfo({ name, sides, returnNomatch, counts, packets, bytes }: SetQuestion): Uint8Array {
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
  const skip = (counts?.counters ? 0 : SKIP_COUNTERS) | (counts?.subcounters ? 0 : SKIP_SUBCOUNTERS);
  view.setUint32(40, skip | (returnNomatch ? RETURN_NOMATCH : 0), true);
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

/** struct xt_bpf_info_v1: mode u16 (0), instructions u16, fd s32, 64 x struct sock_filter, a pointer of the kernel's own. */
function classicInfo({ instructions }: Extract<Question, { kind: 'classic' }>): Uint8Array {
  const info = new Uint8Array(8 + 64 * 8 + 8);
  const view = new DataView(info.buffer);
  view.setUint16(2, instructions.length, true);
  instructions.forEach(([code, jt, jf, k], at) => {
    const offset = 8 + at * 8;
    view.setUint16(offset, code, true);
    info[offset + 2] = jt;
    info[offset + 3] = jf;
    view.setUint32(offset + 4, k, true);
  });
  return info;
}

/** include/uapi/linux/netfilter/xt_rateest.h */
const RATE = { ABS: 1 << 1, REL: 1 << 2, DELTA: 1 << 3, BPS: 1 << 4, PPS: 1 << 5 } as const;
const RATE_MODE = { eq: 1, lt: 2, gt: 3 } as const;
const RATE_NAME_BYTES = 16;

/** struct xt_rateest_match_info: names [2][16], flags u16, mode u16, bps1, pps1, bps2, pps2 u32, two pointers of the kernel's own. */
function rateInfo({ estimators, compare, delta, bps, pps }: Extract<Question, { kind: 'rateest' }>): Uint8Array {
  const info = new Uint8Array(72);
  const view = new DataView(info.buffer);
  for (const [at, name] of estimators.entries()) {
    info.set(Buffer.from(name, 'utf8').subarray(0, RATE_NAME_BYTES - 1), at * RATE_NAME_BYTES);
  }
  const flags =
    (estimators.length === 2 ? RATE.REL : RATE.ABS) |
    (delta ? RATE.DELTA : 0) |
    (bps === undefined ? 0 : RATE.BPS) |
    (pps === undefined ? 0 : RATE.PPS);
  view.setUint16(32, flags, true);
  view.setUint16(34, RATE_MODE[compare], true);
  for (const [at, number] of [bps?.[0], pps?.[0], bps?.[1], pps?.[1]].entries()) {
    view.setUint32(36 + 4 * at, number ?? 0, true);
  }
  return info;
}
