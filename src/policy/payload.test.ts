import { describe, expect, it } from 'vitest';
import { evaluateExpr } from './evaluate.ts';
import { FALSE, not, payload, TRUE } from './expr.ts';
import { packetView } from './packet-view.ts';
import { readPayload } from './payload.ts';

/** 20 bytes of IPv4 header with protocol 50 and 6 bytes behind it. */
const BYTES = Uint8Array.of(0x45, 0x1c, 0, 26, 0, 1, 0, 0, 64, 50, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 5, 6);
const PACKET = packetView({ family: 'ipv4', bytes: BYTES });
const LATER_FRAGMENT = packetView({
  family: 'ipv6',
  bytes: Uint8Array.of(0x60, 0, 0, 0, 0, 8, 44, 1, ...new Uint8Array(32).fill(7), 50, 0, 0, 8, 0, 0, 0, 1),
});

describe('bytes of the packet', () => {
  it.each([
    ['network', 1, 8, 0x1cn],
    ['network', 24, 16, 0x0506n],
    ['transport', 0, 32, 0x01020304n],
    ['transport', 2, 32, 0x03040506n],
    ['transport', 4, 8, 5n],
    ['transport', 3, 32, 0n],
    ['transport', 5, 16, 0n],
    ['transport', 6, 8, 0n],
    ['network', 1000, 8, 0n],
  ] as const)('%s, offset %i, %i bits', (base, offset, bits, value) => {
    expect(readPayload(PACKET, { base, offset, bits })).toBe(value);
  });

  it('behind the network header of a later fragment of IPv6: the network header', () => {
    expect(readPayload(LATER_FRAGMENT, { base: 'transport', offset: 6, bits: 8 })).toBe(44n);
  });

  it('are one canonical question', () => {
    const where = { base: 'network', offset: 1, bits: 8 } as const;
    expect(payload(where, [{ min: 0n, max: 255n }])).toBe(TRUE);
    expect(payload(where, [{ min: 256n, max: 300n }])).toBe(FALSE);
    expect(not(payload(where, [{ min: 3n, max: 4n }]))).toEqual(
      payload(where, [
        { min: 0n, max: 2n },
        { min: 5n, max: 255n },
      ]),
    );
    expect(not(payload(where, [{ min: 0n, max: 0n }], 3n))).toEqual(payload(where, [{ min: 1n, max: 3n }], 3n));
  });

  it('are masked before they are compared', () => {
    const where = { base: 'network', offset: 1, bits: 8 } as const;
    expect(evaluateExpr(payload(where, [{ min: 0x1cn, max: 0x1cn }], 0xfcn), PACKET)).toBe(true);
    expect(evaluateExpr(payload(where, [{ min: 0x18n, max: 0x18n }], 0xfcn), PACKET)).toBe(false);
  });
});
