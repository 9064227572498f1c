import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIND, message, messageReader } from './protocol.ts';

describe('messages', () => {
  it('come out as they went in, however the stream is cut', () => {
    const kinds = Object.values(KIND);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
        (sent, cuts) => {
          const stream = Buffer.concat(sent.map(([kind, body]) => message(kind, body)));
          const read = messageReader();
          const got: [number, number[]][] = [];
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const length = cuts[turn % cuts.length]!;
            for (const { kind, body } of read(stream.subarray(at, at + length))) got.push([kind, [...body]]);
            at += length;
          }
          expect(got).toEqual(sent.map(([kind, body]) => [kind, [...body]]));
        },
      ),
    );
  });

  it.each([0, 0xffffffff])('of a length of %s are refused', (length) => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(length, 0);
    expect(() => messageReader()(head)).toThrow('length');
  });
});
