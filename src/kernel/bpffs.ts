/**
 * Finding the machine's BPF file system, where pins outlive processes.
 *
 * `ip netns exec` gives its command a private mount namespace with a fresh /sys, so what is mounted on /sys/fs/bpf there vanishes
 * with the command, and what the machine has mounted there is hidden. Pins must be the same objects in and out of it, so the
 * outer mount namespace is reached through /proc/PID/root of a process that lives there: the first process of the machine, or
 * else (where looking at it is not allowed) the farthest ancestor of ours that can be looked at.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { cString } from './bpf-syscall.ts';
import { isErrno, withHint } from './errno.ts';
import { syscall } from './syscall.ts';

const PLACE = '/sys/fs/bpf';
/** BPF_FS_MAGIC (include/uapi/linux/magic.h). */
const BPF_FS_MAGIC = 0xcafe4a11;

/** A directory in the machine's bpffs that is the same wherever we were started; mounts the file system when nobody did. */
export function bpffsRoot(): string {
  const outer = outerProcess();
  if (outer === undefined) {
    if (!isBpffs(PLACE)) mountHere();
    return PLACE;
  }
  const path = `/proc/${outer}/root${PLACE}`;
  if (!isBpffs(path)) mountThere(outer);
  if (!isBpffs(path)) throw new Error(`mounting a BPF file system on ${PLACE} of process ${outer} had no effect`);
  // The usual private namespace copies the machine's mounts: then the short name means the same file system.
  return isBpffs(PLACE) && statSync(PLACE).dev === statSync(path).dev ? PLACE : path;
}

/** The same directory when the file system is mounted already, else undefined: looks without mounting. */
export function mountedBpffsRoot(): string | undefined {
  const outer = outerProcess();
  const path = outer === undefined ? PLACE : `/proc/${outer}/root${PLACE}`;
  return isBpffs(path) ? path : undefined;
}

function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

/** A process of the outer mount namespace, or undefined when that is our own. */
function outerProcess(): number | undefined {
  const own = readlinkSync('/proc/thread-self/ns/mnt');
  for (const pid of [1, ...ancestors().reverse()]) {
    const theirs = mountNamespace(pid);
    if (theirs !== undefined) return theirs === own ? undefined : pid;
  }
  return undefined;
}

function mountNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** Parent, grandparent and so on, without process 1. */
function ancestors(): number[] {
  const found: number[] = [];
  for (let pid = process.ppid; pid > 1; pid = parentOf(pid)) found.push(pid);
  return found;
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0; // it has just ended
  }
}

function mountHere(): void {
  const type = cString('bpf');
  try {
    syscall('mount', [type, cString(PLACE), type, 0, cString('mode=0700')], `mounting bpffs on ${PLACE}`);
  } catch (error) {
    throw isErrno(error, 'EPERM') ? withHint(error, 'this needs CAP_SYS_ADMIN (run as root)') : error;
  }
}

/** Mounts in another process's mount namespace; mount(2) refuses paths that lead there, so a helper process enters it. */
function mountThere(pid: number): void {
  const args = ['-t', String(pid), '-m', '--', 'mount', '-t', 'bpf', '-o', 'mode=0700', 'bpf', PLACE];
  const result = spawnSync('nsenter', args, { encoding: 'utf8' });
  if (result.status === 0) return;
  const why = result.error?.message ?? result.stderr.trim();
  throw new Error(`mounting bpffs on ${PLACE} outside of this mount namespace: nsenter ${args.join(' ')}: ${why}`);
}
