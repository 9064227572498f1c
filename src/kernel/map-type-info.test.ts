import { expect, it } from 'vitest';
import { suite } from '../../test/support/suite.ts';
import { parseBtf } from './btf.ts';
import { createMap } from './map.ts';
import { lockedMapTypes } from './map-type-info.ts';

it('tells of a lock at the beginning of the value', () => {
  const btf = parseBtf(lockedMapTypes({ keySize: 12, valueSize: 40 }));
  expect([btf.structSize('value'), btf.structSize('key'), btf.structId('bpf_spin_lock')]).toEqual([40, 12, 2]);
  expect(btf.member('value', 'lock')).toMatchObject({ offset: 0, size: 4 });
});

suite('maps with locks', ['root', 'btf'], () => {
  it.each(['array', 'hash'] as const)('can be created and read under their lock: %s', (type) => {
    const map = createMap({ name: 'locked', type, keySize: 4, valueSize: 24, maxEntries: 1, locked: true });
    try {
      const value = Uint8Array.from({ length: 24 }, (_, index) => index);
      map.update(new Uint8Array(4), value);
      expect(map.lookup(new Uint8Array(4), 4n)).toEqual(value.fill(0, 0, 4));
    } finally {
      map.close();
    }
  });
});
