/** Following the events of LOG and NFLOG rules. */

import { existsSync, mkdirSync } from 'node:fs';
import { MAP_NAMES } from '../codegen/compiled.ts';
import { LOG_MAP } from '../codegen/netfilter/log.ts';
import { acquireLock, LockTimeoutError } from '../kernel/lock.ts';
import type { BpfMap } from '../kernel/map.ts';
import { openPinnedMap } from '../kernel/object.ts';
import { openRingBuffer, type RingBuffer } from '../kernel/ring-buffer.ts';
import { FAMILIES } from '../packet/netfilter.ts';
import { FirewallError } from './failure.ts';
import type { Layout } from './layout.ts';
import type { Session } from './session.ts';
import { readGeneration } from './store.ts';

/** The reader of a namespace's events. Owns the buffer's mapping and the place of its only reader. */
export interface EventReader {
  /** Raw events, oldest first; empty after `timeoutMs` without any. Survives a flush followed by an apply. */
  next(timeoutMs: number): Promise<readonly Uint8Array[]>;
  /** How many events found no room since the last call. */
  takeLost(): bigint;
  /** Whether there is anything to read from now: false until the first apply. */
  readonly attached: boolean;
  close(): void;
}

/** Opens the events of a namespace. A second reader would take events from the first, so it is refused. */
export function openEventReader({ layout, cookie }: Session): EventReader {
  const lock = lockReader(cookie);
  let buffer: OpenBuffer | undefined = openBuffer(layout);
  let lost = readLost(layout);
  return {
    async next(timeoutMs) {
      if (buffer !== undefined && pinnedId(layout) === buffer.map.id) return buffer.ring.wait(timeoutMs);
      // Flushed, or not applied yet. What was still in the old buffer comes first.
      const last = buffer?.ring.poll(0) ?? [];
      closeBuffer(buffer);
      buffer = openBuffer(layout);
      if (last.length > 0) return last;
      if (buffer === undefined) await new Promise((resolve) => setTimeout(resolve, timeoutMs));
      return [];
    },
    takeLost() {
      const before = lost;
      lost = readLost(layout);
      // A new generation counts from zero.
      return lost.count >= before.count && lost.generation === before.generation
        ? lost.count - before.count
        : lost.count;
    },
    get attached() {
      return buffer !== undefined;
    },
    close() {
      closeBuffer(buffer);
      buffer = undefined;
      lock.release();
    },
  };
}

interface OpenBuffer {
  readonly map: BpfMap;
  readonly ring: RingBuffer;
}

function openBuffer(layout: Layout): OpenBuffer | undefined {
  const path = layout.map(MAP_NAMES.events);
  if (!existsSync(path)) return undefined;
  const map = openPinnedMap(path);
  try {
    return { map, ring: openRingBuffer(map) };
  } catch (error) {
    map.close();
    throw error;
  }
}

function closeBuffer(buffer: OpenBuffer | undefined): void {
  buffer?.ring.close();
  buffer?.map.close();
}

function pinnedId(layout: Layout): number | undefined {
  const path = layout.map(MAP_NAMES.events);
  if (!existsSync(path)) return undefined;
  const map = openPinnedMap(path);
  map.close();
  return map.id;
}

/** Lost events of the generation in force, all families. */
function readLost(layout: Layout): { readonly generation: number; readonly count: bigint } {
  const generation = readGeneration(layout);
  let count = 0n;
  for (const family of FAMILIES) {
    const path = layout.generationMap(generation, family, MAP_NAMES.logs);
    if (generation === 0 || !existsSync(path)) continue;
    const map = openPinnedMap(path);
    count += Buffer.from(map.readValue()).readBigUInt64LE(LOG_MAP.lost);
    map.close();
  }
  return { generation, count };
}

function lockReader(cookie: bigint) {
  mkdirSync('/run/bpfilter', { recursive: true, mode: 0o700 });
  try {
    return acquireLock(`/run/bpfilter/${cookie}.monitor.lock`, 0);
  } catch (error) {
    if (!(error instanceof LockTimeoutError)) throw error;
    throw new FirewallError('denied', 'another bpfilter monitor is reading the events of this network namespace');
  }
}
