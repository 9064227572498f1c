/** Pins: giving kernel objects a name in bpffs and opening them again by it. */

import { bpf, cString } from './bpf-syscall.ts';
import { type BpfLink, linkFromFd } from './link.ts';
import { type BpfMap, mapFromFd } from './map.ts';
import { type BpfProgram, programFromFd } from './program.ts';

/** Pins the object behind `fd` at `path`, which must be new and in bpffs. @throws SyscallError (EEXIST, ENOENT, EPERM) */
export function pin(fd: number, path: string): void {
  bpf('OBJ_PIN', { pathname: cString(path), bpf_fd: fd }, path);
}

/** A new descriptor of whatever is pinned at `path`. @throws SyscallError (ENOENT when nothing is) */
export function openPinned(path: string): number {
  return bpf('OBJ_GET', { pathname: cString(path) }, path);
}

export function openPinnedMap(path: string): BpfMap {
  return mapFromFd(openPinned(path));
}

export function openPinnedProgram(path: string): BpfProgram {
  return programFromFd(openPinned(path));
}

export function openPinnedLink(path: string): BpfLink {
  return linkFromFd(openPinned(path));
}
