/** Random payloads of the protocols whose headers hold lists: SCTP chunks, DCCP options, TCP options; and of those with an index. */

import fc from 'fast-check';
import { dccp, esp, join, type Payload, PROTOCOL, raw, sctp, tcp } from '../../src/packet/transport.ts';

const byte = fc.integer({ min: 0, max: 255 });

interface Ends {
  readonly source: number;
  readonly destination: number;
}

/** Type, flags, length (sometimes a lie), bytes up to a multiple of four. */
const chunk: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(0, 0, 1, 2, 3, 6, 7, 14, 64, 130, 192) },
      { weight: 1, arbitrary: byte },
    ),
    fc.oneof(fc.integer({ min: 0, max: 15 }), byte),
    fc.integer({ min: 0, max: 9 }),
    fc.oneof(
      { weight: 8, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(0, 1, 3, 5, 200, 65535) },
    ),
  )
  .map(([type, flags, size, lie]) => {
    const length = lie ?? 4 + size;
    const out = new Uint8Array(4 + ((size + 3) & ~3));
    out.set([type, flags, length >> 8, length & 255]);
    return out;
  });

/** A list of options as TCP and DCCP have them: kind, length, bytes; some with odd lengths. */
const optionList: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        [0],
        [1],
        [2, 4, 5, 180],
        [2, 4, 2, 24],
        [2, 4],
        [2, 3, 1],
        [3, 3, 7],
        [8, 10, 0, 0, 0, 0, 0, 0, 0, 0],
        [4, 2],
        [37, 0],
      ),
      fc.tuple(byte, fc.integer({ min: 0, max: 6 })).map(([kind, length]) => [kind, length]),
    ),
    { maxLength: 8 },
  )
  .map((list) => Uint8Array.from(list.flat()));

export function sctpPayload(ends: fc.Arbitrary<Ends>): fc.Arbitrary<Payload> {
  return fc
    .tuple(ends, fc.array(chunk, { maxLength: 4 }), fc.constantFrom(0, 0, 0, 1, 2, 3))
    .map(([fields, chunks, more]) => sctp({ ...fields, data: join(...chunks, new Uint8Array(more)) }));
}

export function dccpPayload(ends: fc.Arbitrary<Ends>): fc.Arbitrary<Payload> {
  return fc
    .tuple(ends, byte, fc.integer({ min: 0, max: 20 }), optionList, fc.option(fc.integer({ min: 0, max: 255 })))
    .map(([fields, type, more, options, lie]) => {
      const data = join(Uint8Array.of(type, 1, 2, 3), new Uint8Array(more & ~3), options);
      const padded = join(data, new Uint8Array((4 - (data.length & 3)) & 3));
      return dccp({ ...fields, dataOffset: lie ?? (8 + padded.length) / 4, data: padded });
    });
}

export function tcpWithOptions(ends: fc.Arbitrary<Ends>): fc.Arbitrary<Payload> {
  return fc
    .tuple(ends, optionList, fc.constantFrom(2, 18, 16, 0x42, 0x82, 0xc2))
    .map(([fields, options, flags]) => tcp({ ...fields, flags, options: options.subarray(0, 40) }));
}

/** ESP, AH and IPComp with indexes of few values. */
export const indexedPayload: fc.Arbitrary<Payload> = fc
  .tuple(fc.constantFrom(PROTOCOL.esp, PROTOCOL.ah, 108), fc.constantFrom(0, 1, 5, 256, 0xffff, 0xffffffff), byte)
  .map(([protocol, spi, first]) => {
    if (protocol === PROTOCOL.esp) return esp({ spi });
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    bytes[0] = 6;
    if (protocol === 108) view.setUint16(2, spi & 0xffff);
    else view.setUint32(4, spi);
    bytes[1] = first;
    return raw(protocol, bytes);
  });
