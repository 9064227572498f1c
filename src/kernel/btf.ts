/**
 * The kernel's own type information (/sys/kernel/btf/vmlinux), for the few names we need.
 *
 * 5 MB and 150,000 types: one pass notes where each type begins and hashes the names of structs, unions, enums and functions into
 * a table of ids. No object per type; members are read on demand. Layout: Documentation/bpf/btf.rst.
 *
 *     header 24 bytes | types: struct btf_type (12 bytes) + what its kind adds | strings
 *     info: bits 0-15 vlen, 24-28 kind, 31 kind_flag
 */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KERNEL_ANSWERS, rememberedForBoot } from './boot-memory.ts';

const VMLINUX = '/sys/kernel/btf/vmlinux';

/** Kinds (BTF_KIND_*) this file has to know, and the bytes that follow each: `fixed` + vlen * `each`. */
const KIND = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;
/** Words after the common three, by kind: [fixed, per vlen]. Kinds not named add nothing. */
const EXTRA_WORDS: Readonly<Record<number, readonly [number, number]>> = {
  [KIND.INT]: [1, 0],
  [KIND.ARRAY]: [3, 0],
  [KIND.STRUCT]: [0, 3],
  [KIND.UNION]: [0, 3],
  [KIND.ENUM]: [0, 2],
  [KIND.FUNC_PROTO]: [0, 2],
  [KIND.VAR]: [1, 0],
  [KIND.DATASEC]: [0, 3],
  [KIND.DECL_TAG]: [1, 0],
  [KIND.ENUM64]: [0, 3],
};
const NEWEST_KIND = KIND.ENUM64;
/** What can be looked up by name. */
const NAMED_KINDS: ReadonlySet<number> = new Set([KIND.STRUCT, KIND.UNION, KIND.FUNC, KIND.ENUM]);

/** Place of a member: bytes; a bit field has its bits within the little-endian integer of `size` bytes at `offset`. */
export interface BtfMember {
  readonly offset: number;
  readonly size: number;
  readonly bitShift?: number;
  readonly bitCount?: number;
}

/** Look-ups by exact name: `nf_conn` is never `nf_conn___init` (libbpf's flavour rule does not apply here). */
export interface Btf {
  /** Id of `struct name`, as bpf_rdonly_cast takes it. */
  structId(name: string): number | undefined;
  /** Number of an enumerator of `enum name`, unsigned 32 bit. */
  enumerator(name: string, enumerator: string): number | undefined;
  /** Id of a function, as a kfunc call takes it. */
  functionId(name: string): number | undefined;
  /** Size of `struct name` or `union name` in bytes. */
  structSize(name: string): number | undefined;
  /** Place of `path` (members of members with dots) in `struct name`; members of anonymous structs and unions count as its own. */
  member(struct: string, path: string): BtfMember | undefined;
}

/**
 * Parses raw BTF of the machine's own byte order. That of a module goes on where its `base` (vmlinux) ends: its first type has the next
 * id, its first string the next offset. @throws Error when the data is not BTF or of a newer kind.
 */
export function parseBtf(raw: Uint8Array, base?: Uint8Array): Btf {
  const own = sectionsOf(raw);
  if (base === undefined) return btfOf(own.words, own.strings, indexTypes(own.words, own.strings));
  const first = sectionsOf(base);
  const words = new Uint32Array(first.words.length + own.words.length);
  words.set(first.words);
  words.set(own.words, first.words.length);
  const strings = new Uint8Array(first.strings.length + own.strings.length);
  strings.set(first.strings);
  strings.set(own.strings, first.strings.length);
  return btfOf(words, strings, indexTypes(words, strings));
}

function sectionsOf(raw: Uint8Array): { readonly words: Uint32Array; readonly strings: Uint8Array } {
  const head = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  if (raw.byteLength < 24 || head.getUint16(0, true) !== 0xeb9f)
    throw new Error('not BTF: the magic number is missing');
  const bodyAt = head.getUint32(4, true);
  const typesAt = raw.byteOffset + bodyAt + head.getUint32(8, true);
  const typesLength = head.getUint32(12, true);
  const stringsAt = bodyAt + head.getUint32(16, true);
  const strings = raw.subarray(stringsAt, stringsAt + head.getUint32(20, true));
  // Types are 4-byte aligned in the file; a view needs that of memory too.
  const words =
    typesAt % 4 === 0
      ? new Uint32Array(raw.buffer, typesAt, typesLength / 4)
      : new Uint32Array(raw.slice(typesAt - raw.byteOffset, typesAt - raw.byteOffset + typesLength).buffer);
  return { words, strings };
}

interface Index {
  /** Word at which type `id` begins; ids start at 1. */
  readonly starts: Uint32Array;
  /** Open-addressed hash table of ids by name. */
  readonly table: Uint32Array;
}

function indexTypes(words: Uint32Array, strings: Uint8Array): Index {
  // No type is shorter than three words.
  const starts = new Uint32Array(words.length / 3 + 2);
  const fixed = new Uint8Array(32);
  const each = new Uint8Array(32);
  for (const [kind, [one, per]] of Object.entries(EXTRA_WORDS)) {
    fixed[Number(kind)] = one;
    each[Number(kind)] = per;
  }
  const named: number[] = [];
  let id = 1;
  for (let at = 0; at + 3 <= words.length; id++) {
    const info = words[at + 1]!;
    const kind = (info >>> 24) & 31;
    if (kind === 0 || kind > NEWEST_KIND) throw new Error(`BTF type ${id} has kind ${kind}, which is not known`);
    starts[id] = at;
    if (NAMED_KINDS.has(kind) && words[at] !== 0) named.push(id);
    at += 3 + fixed[kind]! + each[kind]! * (info & 0xffff);
  }
  const table = new Uint32Array(2 ** Math.ceil(Math.log2(named.length * 2 + 2)));
  const mask = table.length - 1;
  for (const type of named) {
    let slot = hashAt(strings, words[starts[type]!]!) & mask;
    while (table[slot] !== 0) slot = (slot + 1) & mask;
    table[slot] = type;
  }
  return { starts: starts.subarray(0, id), table };
}

/** FNV-1a of the zero-terminated name at `at`. */
function hashAt(strings: Uint8Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let byte = strings[at]!; byte !== 0 && byte !== undefined; byte = strings[++at]!) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}

function btfOf(words: Uint32Array, strings: Uint8Array, { starts, table }: Index): Btf {
  const kindOf = (id: number): number => (words[starts[id]! + 1]! >>> 24) & 31;

  function sameName(at: number, name: Uint8Array): boolean {
    for (let i = 0; i < name.length; i++) if (strings[at + i] !== name[i]) return false;
    return true; // name ends with a zero
  }

  /** First type of that name and of one of the kinds. */
  function find(name: string, ...kinds: readonly number[]): number | undefined {
    const bytes = Buffer.from(`${name}\0`, 'latin1');
    const mask = table.length - 1;
    let found: number | undefined;
    for (let slot = hashAt(bytes, 0) & mask; table[slot] !== 0; slot = (slot + 1) & mask) {
      const id = table[slot]!;
      if (!kinds.includes(kindOf(id)) || !sameName(words[starts[id]!]!, bytes)) continue;
      // File-local types may share a name; the lowest id is the one libbpf and bpftool take.
      found = found === undefined ? id : Math.min(found, id);
    }
    return found;
  }

  /** Through typedefs and qualifiers to the type itself. */
  function strip(id: number): number {
    for (let at = id; ; at = words[starts[at]! + 2]!) {
      const kind = at === 0 ? 0 : kindOf(at);
      const wrapper =
        kind === KIND.TYPEDEF || (kind >= KIND.VOLATILE && kind <= KIND.RESTRICT) || kind === KIND.TYPE_TAG;
      if (!wrapper) return at;
    }
  }

  function sizeOf(id: number): number {
    const type = strip(id);
    if (type === 0) return 0;
    const at = starts[type]!;
    const kind = kindOf(type);
    if (kind === KIND.PTR) return 8;
    if (kind === KIND.ARRAY) return sizeOf(words[at + 3]!) * words[at + 5]!;
    return words[at + 2]!;
  }

  function isRecord(id: number): boolean {
    return id !== 0 && (kindOf(id) === KIND.STRUCT || kindOf(id) === KIND.UNION);
  }

  /** Bits from the record's start, the member's type, and its width when it is a bit field. */
  function locate(record: number, name: Uint8Array): { bits: number; type: number; width: number } | undefined {
    const at = starts[record]!;
    const info = words[at + 1]!;
    const withWidths = info >>> 31 === 1;
    for (let member = at + 3, left = info & 0xffff; left > 0; left--, member += 3) {
      const place = words[member + 2]!;
      const bits = withWidths ? place & 0xffffff : place;
      const type = words[member + 1]!;
      if (words[member] !== 0) {
        if (sameName(words[member]!, name)) return { bits, type, width: withWidths ? place >>> 24 : 0 };
        continue;
      }
      const inner = strip(type);
      const found = isRecord(inner) ? locate(inner, name) : undefined;
      if (found !== undefined) return { ...found, bits: found.bits + bits };
    }
    return undefined;
  }

  return {
    structId: (name) => find(name, KIND.STRUCT),
    functionId: (name) => find(name, KIND.FUNC),
    enumerator(name, enumerator) {
      const id = find(name, KIND.ENUM);
      if (id === undefined) return undefined;
      const wanted = Buffer.from(`${enumerator}\0`, 'latin1');
      const at = starts[id]!;
      const end = at + 3 + (words[at + 1]! & 0xffff) * 2;
      for (let place = at + 3; place < end; place += 2) {
        if (sameName(words[place]!, wanted)) return words[place + 1]!;
      }
      return undefined;
    },
    structSize(name) {
      const id = find(name, KIND.STRUCT, KIND.UNION);
      return id === undefined ? undefined : sizeOf(id);
    },
    member(struct, path) {
      let record = find(struct, KIND.STRUCT, KIND.UNION);
      let bits = 0;
      let result: BtfMember | undefined;
      for (const part of path.split('.')) {
        if (record === undefined || !isRecord(record)) return undefined;
        const found = locate(record, Buffer.from(`${part}\0`, 'latin1'));
        if (found === undefined) return undefined;
        bits += found.bits;
        result = placeOf(bits, found.width, sizeOf(found.type));
        record = strip(found.type);
      }
      return result;
    },
  };
}

/** Bit fields lie within a unit of their declared type: gcc and clang never let one straddle it in the kernel's ABIs. */
function placeOf(bits: number, width: number, size: number): BtfMember {
  if (width === 0) return Object.freeze({ offset: bits / 8, size });
  const offset = Math.floor(bits / (size * 8)) * size;
  return Object.freeze({ offset, size, bitShift: bits - offset * 8, bitCount: width });
}

let cached: Btf | undefined;

/** The running kernel's BTF, read once. @throws Error when the kernel has none (CONFIG_DEBUG_INFO_BTF). */
export function kernelBtf(): Btf {
  if (cached === undefined) {
    let raw: Uint8Array;
    try {
      raw = readFileSync(VMLINUX);
    } catch (cause) {
      throw new Error(`${VMLINUX} cannot be read: this kernel was built without CONFIG_DEBUG_INFO_BTF`, { cause });
    }
    cached = parseBtf(raw);
  }
  return cached;
}

/** Ids in the running kernel's BTF, from whoever has looked for them since it booted. */
export const kernelIds: Pick<Btf, 'functionId' | 'structId'> = Object.freeze({
  functionId: (name) => knownId(`function ${name}`, () => kernelBtf().functionId(name)),
  structId: (name) => knownId(`struct ${name}`, () => kernelBtf().structId(name)),
});

const ids = new Map<string, number>();

function knownId(question: string, look: () => number | undefined): number | undefined {
  const known = ids.get(question);
  if (known !== undefined) return known;
  const id = rememberedForBoot(KERNEL_ANSWERS, question, () => {
    const answer = look();
    return { answer, lasting: answer !== undefined };
  });
  if (id !== undefined) ids.set(question, id);
  return id;
}

/**
 * The types of a module that is loaded, on top of the kernel's own; undefined where there is none, because it is built in or not loaded.
 * Ids of its own types mean nothing to programs: those know vmlinux alone.
 */
export function moduleBtf(name: string): Btf | undefined {
  const path = join(dirname(VMLINUX), name);
  return existsSync(path) ? parseBtf(readFileSync(path), readFileSync(VMLINUX)) : undefined;
}
