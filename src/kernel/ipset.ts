/** The ipsets of the calling thread's network namespace (nfnetlink, subsystem ipset). Nothing here changes a set. */

import { isErrno, SyscallError } from './errno.ts';
import {
  type AttributeTable,
  attributeS32,
  attributes,
  attributeText,
  listAttributes,
  NLM_F,
  parseAttributes,
} from './netlink-message.ts';
import { nfnetlinkAnswers } from './netlink-socket.ts';

const SUBSYSTEM = 6;
const NFPROTO_IPV4 = 2;
/** enum ipset_cmd */
const COMMAND = { LIST: 7, GET_BYNAME: 14 } as const;
/** IPSET_PROTOCOL; the first that knows GET_BYNAME. */
const PROTOCOL = 7;
const REQUEST = {
  PROTOCOL: [1, 'u8'],
  SETNAME: [2, 'string'],
  FLAGS: [6, 'be32'],
} as const satisfies AttributeTable;
/** IPSET_ATTR_*: of a set, of its DATA, of a member's DATA. */
const ANSWER = { SETNAME: 2, TYPENAME: 3, DATA: 7, ADT: 8, INDEX: 11 } as const;
const DATA = { CADT_FLAGS: 8, NAME: 18 } as const;
const FLAG_LIST_HEADER = 1 << 2;
/** IPSET_FLAG_WITH_COUNTERS, in CADT_FLAGS. */
const WITH_COUNTERS = 1 << 3;

/** What `ipset list -terse` shows of a set. */
export interface IpSet {
  readonly name: string;
  /** `hash:ip,port` */
  readonly type: string;
  readonly counters: boolean;
}

/** Every set. None, too, where the kernel knows no sets. @throws SyscallError */
export function listSets(): readonly IpSet[] {
  return list({ FLAGS: FLAG_LIST_HEADER }).flatMap((set) => {
    const name = attributeText(set.get(ANSWER.SETNAME));
    const type = attributeText(set.get(ANSWER.TYPENAME));
    const data = set.get(ANSWER.DATA);
    if (name === undefined || type === undefined || data === undefined) return [];
    const flags = attributeS32(parseAttributes(data).get(DATA.CADT_FLAGS)) ?? 0;
    return [{ name, type, counters: (flags & WITH_COUNTERS) !== 0 }];
  });
}

/** Names of the members of a list:set. */
export function listSetMembers(name: string): readonly string[] {
  return list({ SETNAME: name }).flatMap((part) => {
    const elements = part.get(ANSWER.ADT);
    if (elements === undefined) return [];
    return listAttributes(elements).flatMap(
      ([, element]) => attributeText(parseAttributes(element).get(DATA.NAME)) ?? [],
    );
  });
}

/** The number by which rules refer to a set, as xt_set's user space asks for it. @throws SyscallError (ENOENT) */
export function setIndex(name: string): number {
  const what = `looking up the set ${name}`;
  const body = attributes(REQUEST, { PROTOCOL, SETNAME: name });
  const request = { subsystem: SUBSYSTEM, message: COMMAND.GET_BYNAME, flags: NLM_F.ACK, family: NFPROTO_IPV4 };
  const [answer] = nfnetlinkAnswers({ ...request, body, what });
  const index = answer && parseAttributes(answer).get(ANSWER.INDEX);
  if (index === undefined) throw new SyscallError(what, 0, 'the kernel did not say which number it has');
  return ((index[0] ?? 0) << 8) | (index[1] ?? 0);
}

function list(which: { FLAGS: number } | { SETNAME: string }): readonly ReadonlyMap<number, Uint8Array>[] {
  const body = attributes(REQUEST, { PROTOCOL, ...which });
  const request = { subsystem: SUBSYSTEM, message: COMMAND.LIST, flags: NLM_F.DUMP, family: NFPROTO_IPV4 };
  try {
    return nfnetlinkAnswers({ ...request, body, what: 'listing ipsets' }).map(parseAttributes);
  } catch (error) {
    // No such subsystem: the kernel has no sets.
    if (isErrno(error, 'EINVAL')) return [];
    throw error;
  }
}
