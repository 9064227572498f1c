import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { possibleCpuList } from './cpus.ts';
import { SyscallError } from './errno.ts';
import { type BpfMap, createMap, u32Key } from './map.ts';

function using(map: BpfMap, fn: (map: BpfMap) => void): void {
  try {
    fn(map);
  } finally {
    map.close();
    map.close();
  }
}

suite('maps', ['root'], () => {
  it('arrays of one element hold their initial value', () => {
    const initial = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    using(createMap({ name: 'bfk_one', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1, initial }), (map) => {
      expect(map).toMatchObject({ name: 'bfk_one', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 });
      expect(map.id).toBeGreaterThan(0);
      expect(map.readValue()).toEqual(initial);
      map.writeValue(new Uint8Array(8).fill(9));
      expect(map.readValue()).toEqual(new Uint8Array(8).fill(9));
      expect(map.lookup(u32Key(1))).toBeUndefined();
      expect(() => map.writeValue(new Uint8Array(4))).toThrow(RangeError);
    });
  });

  it('hashes come and go', () => {
    using(createMap({ name: 'bfk_hash', type: 'hash', keySize: 8, valueSize: 4, maxEntries: 50 }), (map) => {
      const key = (number: number): Uint8Array => new Uint8Array(8).fill(number);
      for (let i = 0; i < 50; i++) map.update(key(i), u32Key(i));
      expect(
        map
          .keys()
          .map((bytes) => bytes[0]!)
          .sort((a, b) => a - b),
      ).toEqual(Array.from({ length: 50 }, (_, i) => i));
      expect(map.lookup(key(7))).toEqual(u32Key(7));
      expect(map.delete(key(7))).toBe(true);
      expect(map.delete(key(7))).toBe(false);
      expect(map.lookup(key(7))).toBeUndefined();
      expect(() => map.update(key(8), u32Key(0), 1n)).toThrow('exists already (EEXIST)');
      map.update(key(99), u32Key(0));
      expect(() => map.update(key(100), u32Key(0))).toThrow(SyscallError);
    });
  });

  it('per-CPU values come for all possible CPUs', () => {
    using(createMap({ name: 'bfk_cpu', type: 'percpu_array', keySize: 4, valueSize: 4, maxEntries: 2 }), (map) => {
      const size = 8 * possibleCpuList().length;
      expect(map.lookup(u32Key(1))).toEqual(new Uint8Array(size));
      map.update(u32Key(1), new Uint8Array(size).fill(1));
      expect(map.lookup(u32Key(1))?.[0]).toBe(1);
    });
  });

  it('says what was refused', () => {
    const spec = { name: 'bfk_bad', type: 'array', keySize: 3, valueSize: 8, maxEntries: 1 } as const;
    expect(() => createMap(spec)).toThrow('bpf(MAP_CREATE): invalid argument (EINVAL)');
  });
});
