/** Links of whole policies on devices: XDP, and TC through tcx (Linux 6.6). A program is exchanged in place, atomically. */

import type { DeviceKind } from '../packet/device-kind.ts';
import { bpf, objectInfo } from './bpf-syscall.ts';
import { isErrno, type SyscallError } from './errno.ts';
import { type BpfLink, linkFromFd } from './link.ts';
import type { BpfProgram } from './program.ts';

/** enum bpf_attach_type, enum bpf_link_type, and where its information has the device's index. */
const PLACES = {
  xdp: { attach: 37, link: 6 },
  'tc-ingress': { attach: 46, link: 11 },
  'tc-egress': { attach: 47, link: 11 },
} as const satisfies Record<DeviceKind, { attach: number; link: number }>;

const XDP_FLAGS = { generic: 1 << 1, native: 1 << 2 } as const;
/** In front of all others: a verdict of theirs would keep packets from us. */
const BPF_F_BEFORE = 1 << 3;
/** Only in the place of the program that is named. */
const BPF_F_REPLACE = 1 << 2;

export type XdpMode = keyof typeof XDP_FLAGS;

/** Why a device took no program. */
export type DeviceRefusal = 'occupied' | 'incapable' | 'gone' | 'refused';
export type DeviceAttachment =
  | { readonly link: BpfLink }
  | { readonly refusal: DeviceRefusal; readonly cause: SyscallError };

/** Hangs a program on a device of the calling thread's network namespace; it filters at once. */
export function attachToDevice(
  program: BpfProgram,
  kind: DeviceKind,
  ifindex: number,
  mode: XdpMode,
): DeviceAttachment {
  let fd: number;
  try {
    fd = bpf('LINK_CREATE', {
      prog_fd: program.fd,
      target: ifindex,
      attach_type: PLACES[kind].attach,
      flags: kind === 'xdp' ? XDP_FLAGS[mode] : BPF_F_BEFORE,
    });
  } catch (error) {
    // EEXIST: there is a program in the other mode; both exclude each other.
    if (isErrno(error, 'EBUSY') || isErrno(error, 'EEXIST')) return { refusal: 'occupied', cause: error };
    if (isErrno(error, 'EOPNOTSUPP')) return { refusal: 'incapable', cause: error };
    if (isErrno(error, 'ENODEV')) return { refusal: 'gone', cause: error };
    if (isErrno(error, 'EINVAL') || isErrno(error, 'ERANGE') || isErrno(error, 'ENOMEM'))
      return { refusal: 'refused', cause: error };
    throw error;
  }
  return { link: linkFromFd(fd) };
}

/** From one packet to the next `program` runs in the place of `old`. Throws when something else than `old` hangs there. */
export function exchangeProgram(link: BpfLink, program: BpfProgram, old: BpfProgram): void {
  bpf('LINK_UPDATE', { link_fd: link.fd, new_prog_fd: program.fd, flags: BPF_F_REPLACE, old_prog_fd: old.fd });
}

/** Index of the device that a link hangs on; 0 when it has gone, undefined for links of another kind. */
export function deviceOfLink(link: BpfLink, kind: DeviceKind): number | undefined {
  const info = objectInfo(link.fd, 32);
  return info.getUint32(0, true) === PLACES[kind].link ? info.getUint32(16, true) : undefined;
}

/** At most so many programs at one hook (BPF_MPROG_MAX). */
const MOST_PROGRAMS = 64;

/** Ids of the programs at a TC hook, in the order in which they run. */
export function programsAtDevice(kind: Exclude<DeviceKind, 'xdp'>, ifindex: number): readonly number[] {
  const ids = new Uint8Array(4 * MOST_PROGRAMS);
  try {
    bpf('PROG_QUERY', {
      target: ifindex,
      attach_type: PLACES[kind].attach,
      prog_ids: ids,
      count: MOST_PROGRAMS,
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  const view = new DataView(ids.buffer);
  return Array.from({ length: MOST_PROGRAMS }, (_, at) => view.getUint32(4 * at, true)).filter((id) => id !== 0);
}
