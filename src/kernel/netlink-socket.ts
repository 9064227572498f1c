/** NETLINK_NETFILTER: transactions that happen as a whole or not at all, and dumps. */

import { closeSync } from 'node:fs';
import { ERRNO, SyscallError } from './errno.ts';
import {
  attributeText,
  type NetlinkMessage,
  NFGENMSG_BYTES,
  NLM_F,
  nfnetlinkMessage,
  parseAttributes,
  parseMessages,
} from './netlink-message.ts';
import { syscall, trySyscall } from './syscall.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_NETFILTER = 12;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;

const NLMSG = { ERROR: 2, DONE: 3 } as const;
const NLM_F_ACK_TLVS = 0x200;
const NLM_F_CAPPED = 0x100;
const NLMSGERR_ATTR_MSG = 1;
const BATCH = { BEGIN: 0x10, END: 0x11 } as const;

/** NFNL_SUBSYS_NFTABLES. */
const NFTABLES = 10;
const RECEIVE_BYTES = 1 << 17;

/** One operation on nf_tables objects. */
export interface NftCommand {
  /** NFT_MSG_*. */
  readonly message: number;
  /** NLM_F_CREATE, NLM_F_EXCL, NLM_F_APPEND. */
  readonly flags?: number;
  /** NFPROTO_*. */
  readonly family: number;
  readonly body: Uint8Array;
  /** What it does, for errors. */
  readonly what: string;
  /** What is probably missing in the kernel when it does not know the objects named here. */
  readonly needs?: string;
}

/** Answers that mean "no such kind of table, chain or expression". */
const MISSING: readonly number[] = [
  ERRNO.ENOENT.number,
  ERRNO.EOPNOTSUPP.number,
  ERRNO.EAFNOSUPPORT.number,
  ERRNO.EPROTONOSUPPORT.number,
];

/**
 * Runs the commands as one transaction in the calling thread's network namespace (nf_tables_commit).
 * @throws SyscallError of the first command that was refused; then nothing has changed.
 */
export function nftTransaction(commands: readonly NftCommand[]): void {
  withSocket((socket) => {
    // Sequence 0 begins the batch, 1.. are the commands, and the end comes last.
    const edge = { flags: 0, family: 0, resource: NFTABLES };
    const batch = Buffer.concat([
      nfnetlinkMessage({ ...edge, type: BATCH.BEGIN, sequence: 0 }),
      ...commands.map(({ message, flags, family, body }, index) =>
        nfnetlinkMessage(
          { type: (NFTABLES << 8) | message, flags: (flags ?? 0) | NLM_F.ACK, sequence: index + 1, family },
          body,
        ),
      ),
      nfnetlinkMessage({ ...edge, type: BATCH.END, sequence: commands.length + 1 }),
    ]);
    send(socket, batch);
    // The kernel handles a batch within sendto, so that all answers wait already.
    let acknowledged = 0;
    for (let answers = receive(socket, true); answers !== undefined; answers = receive(socket, true)) {
      for (const answer of answers) {
        const error = errorOf(answer);
        if (error === undefined) continue;
        if (error.errno !== 0) throw refusal(commands[answer.sequence - 1], error);
        acknowledged++;
      }
    }
    if (acknowledged < commands.length) {
      throw new SyscallError('nftables transaction', ERRNO.EIO.number, 'the kernel did not confirm every command');
    }
  });
}

/** All objects of a kind (`message`: NFT_MSG_GET*) in one family: the attributes of each. */
export function nftDump(message: number, family: number, body?: Uint8Array): ReadonlyMap<number, Uint8Array>[] {
  const request = { subsystem: NFTABLES, message, flags: NLM_F.DUMP, family, what: 'listing nftables objects' };
  return nfnetlinkAnswers({ ...request, ...(body === undefined ? {} : { body }) }).map(parseAttributes);
}

export interface NfnetlinkRequest {
  /** NFNL_SUBSYS_* */
  readonly subsystem: number;
  readonly message: number;
  /** NLM_F_DUMP for a list, else NLM_F_ACK: one of them ends the answers. */
  readonly flags: number;
  readonly family: number;
  readonly body?: Uint8Array;
  /** What it does, for errors. */
  readonly what: string;
}

/** Asks a subsystem of nfnetlink; the attributes of every message of its answer. @throws SyscallError */
export function nfnetlinkAnswers({ subsystem, message, flags, family, body, what }: NfnetlinkRequest): Uint8Array[] {
  return withSocket((socket) => {
    send(socket, nfnetlinkMessage({ type: (subsystem << 8) | message, flags, sequence: 1, family }, body));
    const found: Uint8Array[] = [];
    for (;;) {
      for (const answer of receive(socket, false) ?? []) {
        if (answer.type === NLMSG.DONE) return found;
        const error = errorOf(answer);
        if (error === undefined) found.push(answer.payload.slice(NFGENMSG_BYTES));
        else if (error.errno !== 0) throw new SyscallError(what, error.errno, error.text);
        else return found;
      }
    }
  });
}

function withSocket<T>(fn: (socket: number) => T): T {
  const command = 'socket(NETLINK_NETFILTER)';
  const socket = syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER], command);
  try {
    // Only for better messages: kernels without it answer with bare numbers.
    trySyscall('setsockopt', socket, SOL_NETLINK, NETLINK_EXT_ACK, Uint8Array.of(1, 0, 0, 0), 4);
    return fn(socket);
  } finally {
    closeSync(socket);
  }
}

function send(socket: number, bytes: Uint8Array): void {
  const kernel = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  syscall('sendto', [socket, bytes, bytes.length, 0, kernel, kernel.length], 'sendto(NETLINK_NETFILTER)');
}

/** The messages of the next datagram; undefined when there is none and `onlyWaiting`. */
function receive(socket: number, onlyWaiting: boolean): NetlinkMessage[] | undefined {
  const buffer = new Uint8Array(RECEIVE_BYTES);
  for (;;) {
    const length = trySyscall('recvfrom', socket, buffer, buffer.length, onlyWaiting ? MSG_DONTWAIT : 0);
    if (length >= 0) return parseMessages(buffer.subarray(0, length));
    if (length === -ERRNO.EINTR.number) continue;
    if (onlyWaiting && length === -ERRNO.EAGAIN.number) return undefined;
    throw new SyscallError('recvfrom(NETLINK_NETFILTER)', -length);
  }
}

interface Answer {
  readonly errno: number;
  readonly text: string | undefined;
}

/** struct nlmsgerr: s32 error, the request's header, the request itself unless capped, then attributes. */
function errorOf({ type, flags, payload }: NetlinkMessage): Answer | undefined {
  if (type !== NLMSG.ERROR) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const errno = -view.getInt32(0, true);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: undefined };
  const request = flags & NLM_F_CAPPED ? 16 : (view.getUint32(4, true) + 3) & ~3;
  return { errno, text: attributeText(parseAttributes(payload.subarray(4 + request)).get(NLMSGERR_ATTR_MSG)) };
}

function refusal(command: NftCommand | undefined, { errno, text }: Answer): SyscallError {
  const hints = [
    ...(text === undefined ? [] : [text]),
    ...(errno === ERRNO.EPERM.number ? ['this needs CAP_NET_ADMIN (run as root)'] : []),
    ...(MISSING.includes(errno) && command?.needs !== undefined ? [`this needs ${command.needs}`] : []),
  ];
  return new SyscallError(
    command?.what ?? 'nftables transaction',
    errno,
    hints.length > 0 ? hints.join('; ') : undefined,
  );
}
