import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run, works } from '../../test/support/command.ts';
import { suite } from '../../test/support/suite.ts';
import { NEEDED_MEMBERS } from '../bpf/facts.ts';
import { kernelBtf, parseBtf } from './btf.ts';

/** BTF by hand: each type is its words, a name is an index into `names`. */
function blob(
  names: readonly string[],
  types: (at: (name: string) => number) => readonly (readonly number[])[],
): Uint8Array {
  const text = `\0${names.map((name) => `${name}\0`).join('')}`;
  const at = (name: string): number => (name === '' ? 0 : text.indexOf(`\0${name}\0`) + 1);
  const words = types(at).flat();
  const bytes = Buffer.alloc(24 + words.length * 4 + text.length);
  bytes.writeUInt16LE(0xeb9f, 0);
  bytes[2] = 1;
  [24, 0, words.length * 4, words.length * 4, text.length].forEach((number, index) => {
    bytes.writeUInt32LE(number, 4 + index * 4);
  });
  words.forEach((word, index) => {
    bytes.writeUInt32LE(word >>> 0, 24 + index * 4);
  });
  bytes.write(text, 24 + words.length * 4, 'latin1');
  return bytes;
}

const info = (kind: number, vlen = 0, flag = 0): number => ((flag << 31) | (kind << 24) | vlen) >>> 0;
const NAMES = [
  'u32',
  'u8',
  'flavoured',
  'flavoured___init',
  'a',
  'b',
  'c',
  'bits',
  'low',
  'high',
  'list',
  'go',
  'flavour',
];
const SAMPLE = blob(NAMES, (at) => [
  [at('u32'), info(1), 4, 32], // 1
  [at('u8'), info(1), 1, 8], // 2
  [at('flavoured___init'), info(4, 1), 4, at('a'), 1, 0], // 3
  [0, info(5, 2), 4, at('b'), 1, 0, at('c'), 2, 0], // 4: anonymous union { u32 b; u8 c; }
  [at('u32'), info(8), 4], // 5: typedef of the union
  [0, info(3), 0, 2, 1, 7], // 6: u8 [7]
  [at('flavoured'), info(4, 3), 16, at('a'), 1, 0, 0, 5, 32, at('list'), 6, 64], // 7
  // 8: { u8 low : 3; u8 high : 5; u32 b : 4 at bit 12 }
  [at('bits'), info(4, 3, 1), 4, at('low'), 2, 3 << 24, at('high'), 2, (5 << 24) | 3, at('b'), 1, (4 << 24) | 12],
  [0, info(13), 1], // 9
  [at('go'), info(12), 9], // 10
  [at('flavoured'), info(12), 9], // 11: a function with the name of a struct
  [at('flavour'), info(6, 2), 4, at('low'), 3, at('high'), 7], // 12: enum flavour { low = 3, high = 7 }
]);

describe('BTF', () => {
  const btf = parseBtf(SAMPLE);

  it('finds structs and functions by their exact names', () => {
    expect(btf.structId('flavoured')).toBe(7);
    expect(btf.structId('flavoured___init')).toBe(3);
    expect(btf.functionId('go')).toBe(10);
    expect(btf.functionId('flavoured')).toBe(11);
    expect(btf.structId('go')).toBeUndefined();
    expect(btf.structId('flavour')).toBeUndefined();
    expect(btf.structId('')).toBeUndefined();
  });

  it('reads the types of a module on top of those of the kernel', () => {
    const strings = SAMPLE.length;
    const module = blob(['own', 'inner'], (at) => {
      // Ids go on behind the 12 types of the sample, offsets of names behind its strings.
      const length = strings - 24 - new DataView(SAMPLE.buffer, SAMPLE.byteOffset).getUint32(12, true);
      return [
        [length + at('own'), info(4, 2), 24, length + at('inner'), 7, 0, length + at('own'), 14, 128], // 13
        [0, info(2), 13], // 14: struct own *
      ];
    });
    const btf = parseBtf(module, SAMPLE);
    expect(btf.structId('own')).toBe(13);
    expect(btf.member('own', 'inner.b')).toEqual({ offset: 4, size: 4 });
    expect(btf.member('own', 'own')).toEqual({ offset: 16, size: 8 });
    expect(btf.structId('flavoured')).toBe(7);
  });

  it('finds enumerators', () => {
    expect(btf.enumerator('flavour', 'high')).toBe(7);
    expect(btf.enumerator('flavour', 'middle')).toBeUndefined();
    expect(btf.enumerator('flavoured', 'low')).toBeUndefined();
  });

  it('places members, also those of anonymous members', () => {
    expect(btf.member('flavoured', 'a')).toEqual({ offset: 0, size: 4 });
    expect(btf.member('flavoured', 'b')).toEqual({ offset: 4, size: 4 });
    expect(btf.member('flavoured', 'c')).toEqual({ offset: 4, size: 1 });
    expect(btf.member('flavoured', 'list')).toEqual({ offset: 8, size: 7 });
    expect(btf.member('flavoured', 'a.b')).toBeUndefined();
    expect(btf.structSize('flavoured')).toBe(16);
  });

  it('places bit fields within their unit', () => {
    expect(btf.member('bits', 'low')).toEqual({ offset: 0, size: 1, bitShift: 0, bitCount: 3 });
    expect(btf.member('bits', 'high')).toEqual({ offset: 0, size: 1, bitShift: 3, bitCount: 5 });
    expect(btf.member('bits', 'b')).toEqual({ offset: 0, size: 4, bitShift: 12, bitCount: 4 });
  });

  it('does not care how the bytes are aligned in memory', () => {
    const shifted = new Uint8Array(SAMPLE.length + 1).subarray(1);
    shifted.set(SAMPLE);
    expect(parseBtf(shifted).structId('flavoured')).toBe(7);
  });

  it('refuses what it does not know', () => {
    expect(() => parseBtf(new Uint8Array(24))).toThrow('not BTF');
    expect(() => parseBtf(blob([], () => [[0, info(25), 0]]))).toThrow('kind 25');
  });
});

suite("the kernel's own BTF", ['btf'], () => {
  it('has every member that generated code reads', () => {
    for (const name of NEEDED_MEMBERS) {
      const dot = name.indexOf('.');
      expect(kernelBtf().member(name.slice(0, dot), name.slice(dot + 1)), name).toBeDefined();
    }
  });

  it('is read in less than a tenth of a second', () => {
    const started = performance.now();
    parseBtf(readFileSync('/sys/kernel/btf/vmlinux'));
    expect(performance.now() - started).toBeLessThan(500);
  });
});

const hasBpftool = existsSync('/sys/kernel/btf/vmlinux') && works('bpftool', ['version']);
describe.skipIf(!hasBpftool)(`BTF as bpftool reads it${hasBpftool ? '' : ' (skipped: needs bpftool and BTF)'}`, () => {
  const dump = (): string => run('bpftool', ['btf', 'dump', 'file', '/sys/kernel/btf/vmlinux']);

  it('agrees on ids, sizes and offsets', () => {
    const text = dump();
    const structs = new Map<string, { id: number; size: number; members: string }>();
    for (const [, id, name, size, members] of text.matchAll(
      /^\[(\d+)\] STRUCT '(\w+)' size=(\d+) vlen=\d+\n((?:\t.*\n)*)/gm,
    )) {
      if (!structs.has(name!)) structs.set(name!, { id: Number(id), size: Number(size), members: members! });
    }
    const btf = kernelBtf();
    for (const name of new Set(NEEDED_MEMBERS.map((path) => path.split('.')[0]!))) {
      const theirs = structs.get(name);
      expect(btf.structId(name), name).toBe(theirs?.id);
      expect(btf.structSize(name), name).toBe(theirs?.size);
      for (const [, member, bits, width] of theirs?.members.matchAll(
        /^\t'(\w+)' type_id=\d+ bits_offset=(\d+)(?: bitfield_size=(\d+))?/gm,
      ) ?? []) {
        const place = btf.member(name, member!);
        expect((place?.offset ?? 0) * 8 + (place?.bitShift ?? 0), `${name}.${member}`).toBe(Number(bits));
        expect(place?.bitCount, `${name}.${member}`).toBe(width === undefined ? undefined : Number(width));
      }
    }
    for (const [, id, name] of text.matchAll(/^\[(\d+)\] FUNC '(bpf_dynptr_\w+|bpf_rdonly_cast)'/gm)) {
      expect(btf.functionId(name!), name).toBe(Number(id));
    }
  });
});
