/** The user space end of NFQUEUE: takes what has come to a queue of the calling thread's namespace, and says what becomes of it. */
import { closeSync } from 'node:fs';
import {
  attributes,
  NFGENMSG_BYTES,
  nfnetlinkMessage,
  parseAttributes,
  parseMessages,
} from '../../src/kernel/netlink-message.ts';
import { syscall, trySyscall } from '../../src/kernel/syscall.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_NETFILTER = 12;
const MSG_DONTWAIT = 0x40;
const QUEUE = 3;
const MESSAGE = { packet: (QUEUE << 8) | 0, verdict: (QUEUE << 8) | 1, config: (QUEUE << 8) | 2 } as const;
const CONFIG = { command: [1, 'bytes'], parameters: [2, 'bytes'] } as const;
const PACKET_HEADER = 1;
const VERDICT = { header: [2, 'bytes'] } as const;
const BIND = 1;

export interface PacketQueue {
  /** Answers every packet that waits: every second one is dropped. Returns how many there were. */
  answer(): number;
  close(): void;
}

/** Binds to a queue. Its packets wait until they are answered. */
export function openPacketQueue(number: number): PacketQueue {
  const socket = syscall('socket', [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER], 'socket(NETLINK_NETFILTER)');
  const kernel = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const send = (type: number, body: Uint8Array): void => {
    const bytes = nfnetlinkMessage({ type, flags: 0, sequence: 1, family: 0, resource: number }, body);
    syscall('sendto', [socket, bytes, bytes.length, 0, kernel, kernel.length], 'sendto(NETLINK_NETFILTER)');
  };
  // struct nfqnl_msg_config_cmd, struct nfqnl_msg_config_params: copy nothing but what is known of the packet.
  send(
    MESSAGE.config,
    attributes(CONFIG, { command: Uint8Array.of(BIND, 0, 0, 0), parameters: Uint8Array.of(0, 0, 0, 0, 1) }),
  );
  let answered = 0;
  return {
    answer() {
      const before = answered;
      const buffer = new Uint8Array(1 << 16);
      for (;;) {
        const length = trySyscall('recvfrom', socket, buffer, buffer.length, MSG_DONTWAIT);
        if (length < 0) return answered - before;
        for (const { type, payload } of parseMessages(buffer.subarray(0, length))) {
          if (type !== MESSAGE.packet) continue;
          const id = parseAttributes(payload.subarray(NFGENMSG_BYTES)).get(PACKET_HEADER)!.subarray(0, 4);
          const accept = answered++ % 2 === 0;
          send(MESSAGE.verdict, attributes(VERDICT, { header: Uint8Array.of(0, 0, 0, accept ? 1 : 0, ...id) }));
        }
      }
    },
    close: () => closeSync(socket),
  };
}
