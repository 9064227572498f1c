/** XDP links: hanging a program on a device, in the driver's own mode or in the stack's. */

import { bpf, objectInfo } from './bpf-syscall.ts';
import { isErrno, type SyscallError } from './errno.ts';
import { type BpfLink, linkFromFd } from './link.ts';
import type { BpfProgram } from './program.ts';

const BPF_XDP = 37;
const BPF_LINK_TYPE_XDP = 6;
/** XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE */
const FLAGS = { generic: 1 << 1, native: 1 << 2 } as const;
export const XDP_MODES = ['native', 'generic'] as const satisfies readonly (keyof typeof FLAGS)[];
export type XdpMode = (typeof XDP_MODES)[number];

/** Why a device took no program. */
export type XdpRefusal = 'occupied' | 'incapable' | 'gone' | 'refused';

export type XdpAttachment = { readonly link: BpfLink } | { readonly refusal: XdpRefusal; readonly cause: SyscallError };

/** Hangs the program on a device of the calling thread's network namespace (bpf_xdp_link_attach). */
export function attachXdp(program: BpfProgram, ifindex: number, mode: XdpMode = 'native'): XdpAttachment {
  let fd: number;
  try {
    fd = bpf('LINK_CREATE', {
      prog_fd: program.fd,
      target: ifindex,
      attach_type: BPF_XDP,
      flags: FLAGS[mode],
    });
  } catch (error) {
    // EEXIST: there is a program in generic mode; both modes exclude each other.
    if (isErrno(error, 'EBUSY') || isErrno(error, 'EEXIST')) return { refusal: 'occupied', cause: error };
    if (isErrno(error, 'EOPNOTSUPP')) return { refusal: 'incapable', cause: error };
    if (isErrno(error, 'ENODEV')) return { refusal: 'gone', cause: error };
    if (isErrno(error, 'EINVAL') || isErrno(error, 'ERANGE') || isErrno(error, 'ENOMEM'))
      return { refusal: 'refused', cause: error };
    throw error;
  }
  return { link: linkFromFd(fd) };
}

/** From one frame to the next another program runs in the link's place, whatever hung there. @throws SyscallError */
export function updateXdpLink(link: BpfLink, program: BpfProgram): void {
  bpf('LINK_UPDATE', { link_fd: link.fd, new_prog_fd: program.fd });
}

/** Index of the device that a link hangs on; 0 when it has gone, undefined for links of another kind. */
export function xdpLinkDevice(link: BpfLink): number | undefined {
  const info = objectInfo(link.fd, 32);
  return info.getUint32(0, true) === BPF_LINK_TYPE_XDP ? info.getUint32(16, true) : undefined;
}
