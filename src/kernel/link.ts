/** Netfilter links: hanging a program on a hook, and reading where one hangs. */

import { closeSync } from 'node:fs';
import { FAMILIES, type Family, HOOKS, type Hook, NF_INET_HOOK, NFPROTO } from '../packet/netfilter.ts';
import { bpf, objectInfo } from './bpf-syscall.ts';
import { isErrno, SyscallError, withHint } from './errno.ts';
import type { BpfProgram } from './program.ts';

const BPF_NETFILTER = 45;
const BPF_LINK_TYPE_NETFILTER = 10;

/** A place in netfilter: lower priorities run first. */
export interface NetfilterPlace {
  readonly family: Family;
  readonly hook: Hook;
  readonly priority: number;
}

/** An attached program. Owns its file descriptor; the program hangs on until the last descriptor and pin are gone, or detach(). */
export interface BpfLink {
  readonly fd: number;
  readonly id: number;
  readonly programId: number;
  /** Where it hangs; undefined for links of another kind. */
  readonly place: NetfilterPlace | undefined;
  /** Takes the program off its hook at once, whoever else holds the link. */
  detach(): void;
  close(): void;
}

/** Another hook, BPF or not, has this priority on this family and hook: the caller tries a neighbour. */
export class PriorityTakenError extends SyscallError {
  override readonly name: string = 'PriorityTakenError';
  readonly place: NetfilterPlace;

  constructor(cause: SyscallError, place: NetfilterPlace) {
    super(cause.command, cause.errno, `priority ${place.priority} on ${place.family} ${place.hook} is taken`);
    this.place = place;
  }
}

/**
 * Attaches a netfilter program in the calling thread's network namespace (nf_bpf_link.c, bpf_nf_link_attach; Linux 6.4).
 * @throws PriorityTakenError (EBUSY), SyscallError otherwise.
 */
export function attachNetfilter(program: BpfProgram, place: NetfilterPlace): BpfLink {
  let fd: number;
  try {
    fd = bpf('LINK_CREATE', {
      prog_fd: program.fd,
      attach_type: BPF_NETFILTER,
      netfilter_pf: NFPROTO[place.family],
      netfilter_hooknum: NF_INET_HOOK[place.hook],
      netfilter_priority: place.priority,
    });
  } catch (error) {
    if (isErrno(error, 'EBUSY')) throw new PriorityTakenError(error, place);
    if (isErrno(error, 'EINVAL')) {
      throw withHint(error, 'this kernel may lack netfilter links (Linux 6.4, CONFIG_NETFILTER_BPF_LINK)');
    }
    throw error;
  }
  return linkFromFd(fd);
}

/** Wraps an open link's descriptor, which then belongs to the result; on failure it is closed. */
export function linkFromFd(fd: number): BpfLink {
  let info: DataView;
  try {
    // struct bpf_link_info: type, id, prog_id, padding, then for netfilter pf, hooknum, priority, flags
    info = objectInfo(fd, 32);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let open = true;
  return {
    fd,
    id: info.getUint32(4, true),
    programId: info.getUint32(8, true),
    place: info.getUint32(0, true) === BPF_LINK_TYPE_NETFILTER ? placeOf(info) : undefined,
    detach() {
      bpf('LINK_DETACH', { link_fd: fd });
    },
    close() {
      if (!open) return;
      open = false;
      closeSync(fd);
    },
  };
}

function placeOf(info: DataView): NetfilterPlace | undefined {
  const family = FAMILIES.find((name) => NFPROTO[name] === info.getUint32(16, true));
  const hook = HOOKS.find((name) => NF_INET_HOOK[name] === info.getUint32(20, true));
  if (family === undefined || hook === undefined) return undefined;
  return Object.freeze({ family, hook, priority: info.getInt32(24, true) });
}
