/** Maps of the tables that rules share by name: one for each, named after what it holds so that it keeps its name. */

import type { MapSpec } from '../../../bpf/program.ts';
import { type NamedTable, tableKey } from '../../../policy/named.ts';
import { HASHLIMIT_VALUE_BYTES, hashlimitKeyBytes } from './hashlimit-account.ts';
import { recentListBytes } from './recent-layout.ts';

/** A table and the map that holds it. */
export interface NamedMap {
  readonly table: NamedTable;
  readonly map: string;
}

const PREFIX = { recent: 'r', hashlimit: 'h' } as const;

/** `r` or `h` and 56 bits of a hash of the key: too many for two names to meet. */
export function namedMapName(table: NamedTable): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(tableKey(table)))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  // The upper bits of FNV-1a alone know little of the last characters.
  const mixed = hash ^ (hash >> 29n);
  return `${PREFIX[table.kind]}${BigInt.asUintN(56, mixed).toString(16).padStart(14, '0')}`;
}

/** BPF_F_NO_PREALLOC: memory is taken as accounts come. */
const NO_PREALLOC = 1;

export function namedMapSpec(table: NamedTable): MapSpec {
  const name = namedMapName(table);
  switch (table.kind) {
    case 'recent':
      return { name, type: 'array', keySize: 4, valueSize: recentListBytes(table), maxEntries: 1, locked: true };
    case 'hashlimit':
      return {
        name,
        type: 'hash',
        keySize: hashlimitKeyBytes(table.family),
        valueSize: HASHLIMIT_VALUE_BYTES,
        maxEntries: table.table.max,
        flags: NO_PREALLOC,
        locked: true,
      };
  }
}
