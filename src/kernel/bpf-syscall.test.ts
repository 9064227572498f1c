import { expect, it } from 'vitest';
import { BPF_COMMANDS, type BpfCommandLayout, cString, encodeAttribute } from './bpf-syscall.ts';
import { addressOf } from './syscall.ts';

it('every member lies inside its attribute and none overlap', () => {
  const width = { u32: 4, s32: 4, u64: 8, pointer: 8, name: 16 } as const;
  for (const [name, { size, fields }] of Object.entries<BpfCommandLayout>(BPF_COMMANDS)) {
    const taken = new Set<number>();
    for (const [offset, kind] of Object.values(fields)) {
      for (let byte = offset; byte < offset + width[kind]; byte++) {
        expect(taken.has(byte), `${name} byte ${byte}`).toBe(false);
        taken.add(byte);
      }
    }
    expect(Math.max(...taken), name).toBeLessThan(size);
  }
});

it('puts values where the kernel reads them', () => {
  const attribute = encodeAttribute('LINK_CREATE', {
    prog_fd: 7,
    attach_type: 45,
    netfilter_pf: 2,
    netfilter_hooknum: 3,
    netfilter_priority: -301,
  });
  const view = new DataView(attribute.buffer);
  expect(attribute.length).toBe(48);
  expect([0, 4, 8, 12, 16, 20, 28].map((at) => view.getUint32(at, true))).toEqual([7, 0, 45, 0, 2, 3, 0]);
  expect(view.getInt32(24, true)).toBe(-301);
});

it('writes addresses and names', () => {
  const key = new Uint8Array(4);
  const lookup = encodeAttribute('MAP_LOOKUP_ELEM', { map_fd: 3, key });
  expect(new DataView(lookup.buffer).getBigUint64(8, true)).toBe(addressOf(key));
  const map = encodeAttribute('MAP_CREATE', { map_name: 'bf_counters' });
  expect(Buffer.from(map.subarray(28, 44)).toString('latin1')).toBe('bf_counters\0\0\0\0\0');
  expect(() => encodeAttribute('MAP_CREATE', { map_name: 'sixteen_letters_' })).toThrow(RangeError);
  expect(() => encodeAttribute('MAP_CREATE', { map_name: 'a-b' })).toThrow(RangeError);
});

it('ends strings with a zero', () => {
  expect([...cString('é')]).toEqual([0xc3, 0xa9, 0]);
});
