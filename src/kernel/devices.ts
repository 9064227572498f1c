/** The network devices of the calling thread's network namespace. */

import { closeSync, readFileSync } from 'node:fs';
import { indexOfDevice } from './rtnetlink.ts';
import { addressOf, syscall, trySyscall } from './syscall.ts';

export interface NetworkDevice {
  readonly name: string;
  readonly index: number;
  /** Its driver's name; empty when it does not say. */
  readonly driver: string;
}

const SIOCETHTOOL = 0x8946;
const ETHTOOL_GDRVINFO = 3;
/** struct ethtool_drvinfo: command, then the driver's name. */
const DRVINFO_BYTES = 196;
const DRIVER = { offset: 4, bytes: 32 } as const;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

/** All of them, in the kernel's order. */
export function networkDevices(): readonly NetworkDevice[] {
  const lines = readFileSync('/proc/thread-self/net/dev', 'utf8').split('\n').slice(2);
  return lines.flatMap((line) => {
    const name = /^\s*(\S+):/.exec(line)?.[1];
    return name === undefined ? [] : [{ name, index: indexOfDevice(name), driver: driverOf(name) }];
  });
}

/** ethtool's answer to "which driver". */
function driverOf(name: string): string {
  const info = new Uint8Array(DRVINFO_BYTES);
  new DataView(info.buffer).setUint32(0, ETHTOOL_GDRVINFO, true);
  const request = new Uint8Array(40);
  request.set(new TextEncoder().encode(name).subarray(0, 15));
  new DataView(request.buffer).setBigUint64(16, addressOf(info), true);
  const socket = syscall('socket', [AF_INET, SOCK_DGRAM_CLOEXEC, 0], 'socket');
  try {
    if (trySyscall('ioctl', socket, SIOCETHTOOL, request) < 0) return '';
  } finally {
    closeSync(socket);
  }
  const text = Buffer.from(info.buffer, DRIVER.offset, DRIVER.bytes).toString('latin1');
  return text.replace(/\0.*$/s, '');
}
