/** Waiting until nothing that started earlier still runs. */

import { closeSync } from 'node:fs';
import { syscall, syscallAsync } from './syscall.ts';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;

/**
 * Waits for an RCU grace period, some 10 ms: every packet that was between two netfilter hooks before the call has left
 * them (nf_hook holds the read lock for the whole traversal). Closing a packet socket does exactly this
 * (packet_release calls synchronize_net), and no call exists that does nothing else.
 */
export function waitForGracePeriod(): void {
  closeSync(openSocket());
}

/** The same, waited for on another thread. */
export async function gracePeriod(): Promise<void> {
  await syscallAsync('close', [openSocket()]);
}

function openSocket(): number {
  return syscall('socket', [AF_PACKET, SOCK_RAW_CLOEXEC, 0], 'socket(AF_PACKET)');
}
