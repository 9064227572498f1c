/** What modules of matches would use: their parameters, or what they would take by themselves. */

import { readFileSync } from 'node:fs';
import type { ModuleFacts } from '../bpf/facts.ts';

const RECENT = '/sys/module/xt_recent/parameters';
/** ip_list_tot when nobody sets it. */
const RECENT_ENTRIES = 100;
const PAGE = 4096;
const GIGABYTE = 1024 ** 3;

export function readModuleFacts(): ModuleFacts {
  return Object.freeze({
    recentEntries: parameter('ip_list_tot') ?? RECENT_ENTRIES,
    recentStamps: parameter('ip_pkt_list_tot') ?? 0,
    hashlimitBuckets: hashlimitBuckets(readFileSync('/proc/meminfo', 'latin1')),
  });
}

/** A parameter of xt_recent; undefined while the module is not there, and for those who may not load programs anyway. */
function parameter(name: string): number | undefined {
  try {
    return Number(readFileSync(`${RECENT}/${name}`, 'latin1'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES') return undefined;
    throw error;
  }
}

/** htable_create: one bucket of 8 bytes for every 16 kB, 8192 with more than a gigabyte. `meminfo`: text of /proc/meminfo. */
export function hashlimitBuckets(meminfo: string): number {
  const kilobytes = Number(/^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0);
  const pages = Math.floor((kilobytes * 1024) / PAGE);
  if (pages > GIGABYTE / PAGE) return 8192;
  return Math.max(16, Math.floor((pages * PAGE) / 16_384 / 8));
}
