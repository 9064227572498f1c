/**
 * A note of how the kernel's own tables were, pinned right before they are changed and removed after the switch. Found
 * beside a generation that is not in force, it says that an apply ended between the two.
 */

import { existsSync, rmSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createMap } from '../kernel/map.ts';
import { openPinnedMap, pin } from '../kernel/object.ts';
import type { Family } from '../packet/netfilter.ts';
import type { Layout } from './layout.ts';

/** Restore text with counters, by family, of the tables as they were. */
export type Undo = { readonly [F in Family]?: string };

export function writeUndo(layout: Layout, generation: number, undo: Undo): void {
  const body = gzipSync(JSON.stringify(undo));
  const map = createMap({
    name: 'bf_undo',
    type: 'array',
    keySize: 4,
    valueSize: body.length,
    maxEntries: 1,
    initial: body,
  });
  try {
    pin(map.fd, layout.undo(generation));
  } finally {
    map.close();
  }
}

/** The note of a generation, if it has one. */
export function readUndo(layout: Layout, generation: number): Undo | undefined {
  if (!existsSync(layout.undo(generation))) return undefined;
  const map = openPinnedMap(layout.undo(generation));
  try {
    return JSON.parse(gunzipSync(map.readValue()).toString('utf8')) as Undo;
  } finally {
    map.close();
  }
}

export function forgetUndo(layout: Layout, generation: number): void {
  rmSync(layout.undo(generation), { force: true });
}
