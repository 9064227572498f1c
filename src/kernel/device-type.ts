/** What the frames of a network device begin with. */

import { closeSync } from 'node:fs';
import { syscall } from './syscall.ts';

const SIOCGIFHWADDR = 0x8927;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** Where struct ifreq has the family of the hardware address. */
const FAMILY = 16;
const REQUEST_BYTES = 40;

/** ARPHRD_* of a device of the calling thread's network namespace. Throws SyscallError (ENODEV). */
export function deviceType(name: string): number {
  const request = new Uint8Array(REQUEST_BYTES);
  request.set(new TextEncoder().encode(name).subarray(0, 15));
  const socket = syscall('socket', [AF_INET, SOCK_DGRAM_CLOEXEC, 0], 'socket');
  try {
    syscall('ioctl', [socket, SIOCGIFHWADDR, request], name);
  } finally {
    closeSync(socket);
  }
  return new DataView(request.buffer).getUint16(FAMILY, true);
}

/** Ethernet and the loopback device. */
const ETHERNET: readonly number[] = [1, 772];
/** Devices whose frames are IP packets: PPP, IP in IP, IPv6 tunnels, SIT, GRE, raw IP, and those that say "none". */
const BARE: readonly number[] = [512, 768, 769, 776, 778, 519, 0xfffe, 823];

/** Undefined: some other link layer. */
export function linkLayerOf(type: number): 'ethernet' | 'none' | undefined {
  if (ETHERNET.includes(type)) return 'ethernet';
  return BARE.includes(type) ? 'none' : undefined;
}
