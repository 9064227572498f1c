/** A tap device: a network device whose frames come from this process. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { syscall } from '../../src/kernel/syscall.ts';

const TUNSETIFF = 0x400454ca;
/** IFF_TAP | IFF_NO_PI */
const FLAGS = 0x1002;
const NAME_BYTES = 16;
/** struct ifreq */
const REQUEST_BYTES = 40;

/** Owns the device: it goes with close(). */
export interface Tap {
  /** The frame arrives at the device. */
  receive(frame: Uint8Array): void;
  close(): void;
}

export function openTap(namespace: string, name: string): Tap {
  return withNamespace(namespace, () => {
    const fd = openSync('/dev/net/tun', 'r+');
    const request = new Uint8Array(REQUEST_BYTES);
    request.set(Buffer.from(name).subarray(0, NAME_BYTES - 1));
    new DataView(request.buffer).setUint16(NAME_BYTES, FLAGS, true);
    syscall('ioctl', [fd, TUNSETIFF, request], 'TUNSETIFF');
    return { receive: (frame) => void writeSync(fd, frame), close: () => closeSync(fd) };
  });
}
