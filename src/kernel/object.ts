/** Pins: giving kernel objects a name in bpffs and opening them again by it. */

import { closeSync, readlinkSync } from 'node:fs';
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
  return mapFromFd(openPinnedAs('map', path));
}

export function openPinnedProgram(path: string): BpfProgram {
  return programFromFd(openPinnedAs('program', path));
}

export function openPinnedLink(path: string): BpfLink {
  return linkFromFd(openPinnedAs('link', path));
}

/** What the kernel calls the file behind a descriptor (bpf_map_new_fd, bpf_prog_new_fd, bpf_link_new_fd). */
const FILE_NAMES = {
  map: 'anon_inode:bpf-map',
  program: 'anon_inode:bpf-prog',
  link: 'anon_inode:bpf-link',
} as const;

/** The kernel gives information on any kind of object, so a wrong kind would be misread. */
function openPinnedAs(kind: keyof typeof FILE_NAMES, path: string): number {
  const fd = openPinned(path);
  // Links are called bpf_link in other places (bpf_link_prime), and some kernels put brackets around names.
  const name = readlinkSync(`/proc/thread-self/fd/${fd}`).replace(/[[\]]/g, '').replace('_link', '-link');
  if (name === FILE_NAMES[kind]) return fd;
  closeSync(fd);
  throw new TypeError(`${path} holds no BPF ${kind} (${name})`);
}
