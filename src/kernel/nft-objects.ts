/** nf_tables objects as commands (include/uapi/linux/netfilter/nf_tables.h): tables, chains, rules and the expressions we use. */

import { type Family, type Hook, NF_INET_HOOK, NFPROTO } from '../packet/netfilter.ts';
import { type AttributeTable, attributes, NLM_F } from './netlink-message.ts';
import type { NftCommand } from './netlink-socket.ts';

/** `enum nf_tables_msg_types`. DESTROY (Linux 6.3) is DEL that does not mind when there is nothing. */
export const NFT_MSG = {
  NEWTABLE: 0,
  NEWCHAIN: 3,
  GETCHAIN: 4,
  NEWRULE: 6,
  GETRULE: 7,
  DESTROYTABLE: 26,
  DESTROYCHAIN: 27,
} as const;

export const NFTA_TABLE = { NAME: [1, 'string'] } as const satisfies AttributeTable;
export const NFTA_CHAIN = {
  TABLE: [1, 'string'],
  NAME: [3, 'string'],
  HOOK: [4, 'nested'],
  POLICY: [5, 'be32'],
  TYPE: [7, 'string'],
} as const satisfies AttributeTable;
export const NFTA_HOOK = { HOOKNUM: [1, 'be32'], PRIORITY: [2, 'be32'] } as const satisfies AttributeTable;
export const NFTA_RULE = {
  TABLE: [1, 'string'],
  CHAIN: [2, 'string'],
  EXPRESSIONS: [4, 'nested'],
  COMPAT: [5, 'nested'],
  USERDATA: [7, 'bytes'],
} as const satisfies AttributeTable;
const NFTA_RULE_COMPAT = { PROTO: [1, 'be32'], FLAGS: [2, 'be32'] } as const satisfies AttributeTable;
const NFTA_LIST = { ELEM: [1, 'nested'] } as const satisfies AttributeTable;
const NFTA_EXPR = { NAME: [1, 'string'], DATA: [2, 'nested'] } as const satisfies AttributeTable;
const NFTA_DATA = { VALUE: [1, 'bytes'], VERDICT: [2, 'nested'] } as const satisfies AttributeTable;
const NFTA_VERDICT = { CODE: [1, 'be32'], CHAIN: [2, 'string'] } as const satisfies AttributeTable;
const NFTA_IMMEDIATE = { DREG: [1, 'be32'], DATA: [2, 'nested'] } as const satisfies AttributeTable;
const NFTA_CT = { DREG: [1, 'be32'], KEY: [2, 'be32'] } as const satisfies AttributeTable;
const NFTA_BITWISE = {
  SREG: [1, 'be32'],
  DREG: [2, 'be32'],
  LEN: [3, 'be32'],
  MASK: [4, 'nested'],
  XOR: [5, 'nested'],
} as const satisfies AttributeTable;
const NFTA_CMP = { SREG: [1, 'be32'], OP: [2, 'be32'], DATA: [3, 'nested'] } as const satisfies AttributeTable;
const NFTA_MATCH = { NAME: [1, 'string'], REV: [2, 'be32'], INFO: [3, 'bytes'] } as const satisfies AttributeTable;
const NFTA_REJECT = { TYPE: [1, 'be32'], ICMP_CODE: [2, 'u8'] } as const satisfies AttributeTable;

const NFT_REG = { VERDICT: 0, ONE: 1 } as const;
const NFT_GOTO = -4;
const NF_ACCEPT = 1;
const NFT_CMP_NEQ = 1;
const NFT_CT_STATE = 0;
/** NF_CT_STATE_BIT(IP_CT_NEW). */
const STATE_NEW = 8;

/** Makes sure the table exists. */
export function newTable(family: Family, table: string): NftCommand {
  return {
    message: NFT_MSG.NEWTABLE,
    flags: NLM_F.CREATE,
    family: NFPROTO[family],
    body: attributes(NFTA_TABLE, { NAME: table }),
    what: `creating nftables table ${table}`,
    needs: `CONFIG_NF_TABLES and CONFIG_NF_TABLES_${family === 'ipv4' ? 'IPV4' : 'IPV6'}`,
  };
}

/** Removes the table with everything in it; nothing happens when there is none. */
export function destroyTable(family: Family, table: string): NftCommand {
  return {
    message: NFT_MSG.DESTROYTABLE,
    family: NFPROTO[family],
    body: attributes(NFTA_TABLE, { NAME: table }),
    what: `removing nftables table ${table}`,
    needs: 'Linux 6.3 with CONFIG_NF_TABLES',
  };
}

/** Creates a chain that must be new; with `base` it hangs on a hook, of type filter with policy accept. */
export function newChain(
  family: Family,
  table: string,
  name: string,
  base?: { readonly hook: Hook; readonly priority: number },
): NftCommand {
  const hanging = base && {
    HOOK: attributes(NFTA_HOOK, { HOOKNUM: NF_INET_HOOK[base.hook], PRIORITY: base.priority }),
    POLICY: NF_ACCEPT,
    TYPE: 'filter',
  };
  return {
    message: NFT_MSG.NEWCHAIN,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    family: NFPROTO[family],
    body: attributes(NFTA_CHAIN, { TABLE: table, NAME: name, ...hanging }),
    what: `creating nftables chain ${table} ${name}`,
  };
}

/** Removes a chain with its rules; nothing happens when there is none. Rules that jump to it must go first. */
export function destroyChain(family: Family, table: string, name: string): NftCommand {
  return {
    message: NFT_MSG.DESTROYCHAIN,
    family: NFPROTO[family],
    body: attributes(NFTA_CHAIN, { TABLE: table, NAME: name }),
    what: `removing nftables chain ${table} ${name}`,
    needs: 'Linux 6.3 with CONFIG_NF_TABLES',
  };
}

/** One expression of a rule. */
export type NftExpression = Uint8Array;

/** Appends a rule. `comment` is what `nft list` shows; `protocol` is what matches that want one are told (it is not tested). */
export function newRule(
  family: Family,
  place: { readonly table: string; readonly chain: string },
  expressions: readonly NftExpression[],
  about: { readonly comment: string; readonly needs: string; readonly protocol?: number },
): NftCommand {
  return {
    message: NFT_MSG.NEWRULE,
    flags: NLM_F.CREATE | NLM_F.APPEND,
    family: NFPROTO[family],
    body: attributes(NFTA_RULE, {
      TABLE: place.table,
      CHAIN: place.chain,
      EXPRESSIONS: Buffer.concat(expressions.map((ELEM) => attributes(NFTA_LIST, { ELEM }))),
      ...(about.protocol === undefined
        ? {}
        : { COMPAT: attributes(NFTA_RULE_COMPAT, { PROTO: about.protocol, FLAGS: 0 }) }),
      USERDATA: commentData(about.comment),
    }),
    what: `adding a rule to nftables chain ${place.table} ${place.chain}`,
    needs: about.needs,
  };
}

/** NFTNL_UDATA_RULE_COMMENT: type 0, length, text with its zero. */
function commentData(comment: string): Uint8Array {
  const text = Buffer.from(`${comment}\0`, 'utf8');
  return Buffer.concat([Uint8Array.of(0, text.length), text]);
}

function expression(name: string, data: Uint8Array): NftExpression {
  return attributes(NFTA_EXPR, { NAME: name, DATA: data });
}

function value(bytes: Uint8Array): Uint8Array {
  return attributes(NFTA_DATA, { VALUE: bytes });
}

/** `ct state new`. That a rule contains it is what switches connection tracking on (nf_ct_netns_get). */
export function ctStateNew(): readonly NftExpression[] {
  const register = NFT_REG.ONE;
  const word = (number: number): Uint8Array => Uint8Array.of(number, 0, 0, 0);
  return [
    expression('ct', attributes(NFTA_CT, { DREG: register, KEY: NFT_CT_STATE })),
    expression(
      'bitwise',
      attributes(NFTA_BITWISE, {
        SREG: register,
        DREG: register,
        LEN: 4,
        MASK: value(word(STATE_NEW)),
        XOR: value(word(0)),
      }),
    ),
    expression('cmp', attributes(NFTA_CMP, { SREG: register, OP: NFT_CMP_NEQ, DATA: value(word(0)) })),
  ];
}

/** Goes on in `chain` and does not come back. */
export function gotoChain(chain: string): NftExpression {
  const verdict = attributes(NFTA_VERDICT, { CODE: NFT_GOTO, CHAIN: chain });
  const data = attributes(NFTA_DATA, { VERDICT: verdict });
  return expression('immediate', attributes(NFTA_IMMEDIATE, { DREG: NFT_REG.VERDICT, DATA: data }));
}

/** The longest path xt_bpf takes, with its zero (XT_BPF_PATH_MAX). */
const XT_BPF_PATH_MAX = 512;
const XT_BPF_MODE = { PATH_PINNED: 1, FD: 2 } as const;

/** xtables' `-m bpf --object-pinned path`, through nft_compat. The path is opened now, in our mount namespace. */
export function matchPinnedProgram(path: string): NftExpression {
  const name = Buffer.from(path, 'utf8');
  if (name.length >= XT_BPF_PATH_MAX) throw new RangeError(`${path} is longer than xt_bpf takes`);
  return matchProgram(XT_BPF_MODE.PATH_PINNED, -1, name);
}

/** The same with an open program: nothing has to be pinned. */
export function matchOpenProgram(fd: number): NftExpression {
  return matchProgram(XT_BPF_MODE.FD, fd, new Uint8Array(0));
}

/** xtables' `-m name`, through nft_compat; `info` is the match's structure as its revision has it, a multiple of 8 bytes. */
export function matchExtension(name: string, revision: number, info: Uint8Array): NftExpression {
  return expression('match', attributes(NFTA_MATCH, { NAME: name, REV: revision, INFO: info }));
}

function matchProgram(mode: number, fd: number, path: Uint8Array): NftExpression {
  // struct xt_bpf_info_v1: u16 mode, u16 instructions, s32 fd, path[512], and a pointer of the kernel's own
  const info = new Uint8Array(8 + XT_BPF_PATH_MAX + 8);
  info[0] = mode;
  new DataView(info.buffer).setInt32(4, fd, true);
  info.set(path, 8);
  return matchExtension('bpf', 1, info);
}

/** What the kernel answers with: an ICMP (or ICMPv6) destination-unreachable code, or a TCP reset. */
export type NativeReject = { readonly kind: 'icmp'; readonly code: number } | { readonly kind: 'tcpReset' };

const NFT_REJECT = { ICMP_UNREACH: 0, TCP_RST: 1 } as const;

/** Answers and drops: nf_send_unreach and nf_send_reset (and their IPv6 twins), the same functions that xtables' REJECT calls. */
export function reject(how: NativeReject): NftExpression {
  const data =
    how.kind === 'icmp'
      ? attributes(NFTA_REJECT, { TYPE: NFT_REJECT.ICMP_UNREACH, ICMP_CODE: how.code })
      : attributes(NFTA_REJECT, { TYPE: NFT_REJECT.TCP_RST });
  return expression('reject', data);
}
