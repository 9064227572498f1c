import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c, internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { ethernet, ipv4, ipv6 } from './craft.ts';
import { describePacket } from './describe.ts';
import { evenPieces, fragmentIpv4, fragmentIpv6 } from './fragment.ts';
import { HEADERS, type HeaderName, headerLength, readHeaderField, writeField } from './headers.ts';
import { ah, esp, icmp, raw, sctp, tcp, truncated, udp, udplite } from './transport.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('header tables', () => {
  test('known lengths', () => {
    const lengths = Object.fromEntries(Object.keys(HEADERS).map((name) => [name, headerLength(name as HeaderName)]));
    expect(lengths).toMatchObject({
      ethernet: 14,
      vlan: 4,
      ipv4: 20,
      ipv6: 40,
      fragment: 8,
      tcp: 20,
      udp: 8,
      icmp: 8,
      sctp: 12,
    });
  });

  test('a field that was written reads back, and no other field changes', () => {
    const names = Object.keys(HEADERS) as HeaderName[];
    const place = fc
      .constantFrom(...names)
      .chain((header) =>
        fc.constantFrom(...(Object.keys(HEADERS[header]) as never[])).map((field) => ({ header, field })),
      );
    fc.assert(
      fc.property(
        place,
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        fc.constantFrom(0, 255),
        ({ header, field }, value, fill) => {
          const width = BigInt((HEADERS[header] as Record<string, readonly [number, number]>)[field]![1]);
          const bytes = new Uint8Array(headerLength(header)).fill(fill);
          const before = bytes.slice();
          writeField(bytes, header, field, value);
          expect(readHeaderField(bytes, header, field)).toBe(BigInt.asUintN(Number(width), value));
          writeField(bytes, header, field, readHeaderField(before, header, field)!);
          expect(bytes).toEqual(before);
        },
      ),
    );
  });
});

describe('whole packets', () => {
  test('IPv4 UDP, byte by byte', () => {
    const packet = ipv4(
      { source: '10.0.0.1', destination: '10.0.0.2', id: 7 },
      udp({ source: 1, destination: 2, data: Uint8Array.of(0xff) }),
    );
    expect(hex(packet)).toBe('4500001d00070000401166c70a0000010a000002' + '000100020009ecd5' + 'ff');
  });

  test('checksums of what we build add up', () => {
    const packets = [
      ipv4({}, tcp({ destination: 80 })),
      ipv4({}, udp({ data: Uint8Array.of(1, 2, 3) })),
      ipv4({}, udplite({})),
    ];
    for (const packet of packets) {
      expect(internetChecksum(packet.subarray(0, 20))).toBe(0);
      const [source, destination, body] = [packet.subarray(12, 16), packet.subarray(16, 20), packet.subarray(20)];
      expect(internetChecksum(body, pseudoHeaderSum('ipv4', source, destination, packet[9]!, body.length))).toBe(0);
    }
    const echo = ipv6({}, icmp({ type: 128, data: Uint8Array.of(9) }));
    const start = pseudoHeaderSum('ipv6', echo.subarray(8, 24), echo.subarray(24, 40), 58, echo.length - 40);
    expect(internetChecksum(echo.subarray(40), start)).toBe(0);
    expect(internetChecksum(ipv4({}, icmp({ type: 8 })).subarray(20))).toBe(0);
  });

  test('wrong on request', () => {
    expect(internetChecksum(ipv4({ checksum: 'bad' }, udp()).subarray(0, 20))).not.toBe(0);
    expect(hex(ipv4({}, udp({ checksum: 0 })).subarray(26, 28))).toBe('0000');
    expect(hex(ipv4({ totalLength: 19, ihl: 4, version: 5 }, raw(6))).slice(0, 8)).toBe('54000013');
    expect(ipv4({}, truncated(tcp(), 13)).length).toBe(33);
    expect(ipv4({}, tcp({ dataOffset: 4 }))[32]).toBe(0x40);
    expect(ipv4({}, tcp({ options: Uint8Array.of(2, 4, 5, 180, 1) }))[32]).toBe(0x70);
  });

  test('IPv6 chains: numbers and lengths', () => {
    const packet = ipv6(
      {
        extensions: [
          { kind: 'hopByHop' },
          { kind: 'routing', type: 0, segmentsLeft: 0 },
          { kind: 'fragment', offset: 0, id: 5 },
          { kind: 'ah', spi: 1 },
          { kind: 'destination', data: new Uint8Array(10) },
        ],
      },
      udp(),
    );
    expect(packet[6]).toBe(0);
    expect([...packet.subarray(40, 48)]).toEqual([43, 0, 1, 4, 0, 0, 0, 0]);
    expect([...packet.subarray(48, 52)]).toEqual([44, 0, 0, 0]);
    expect(hex(packet.subarray(56, 64))).toBe('3300000000000005');
    expect([...packet.subarray(64, 66)]).toEqual([60, 4]);
    expect([...packet.subarray(88, 90)]).toEqual([17, 1]);
    expect(packet.length).toBe(104 + 8);
    expect(readHeaderField(packet, 'ipv6', 'payloadLength')).toBe(72n);
  });

  test('Ethernet with tags', () => {
    expect(hex(ethernet({}, ipv4({}, udp())).subarray(0, 14))).toBe('0200000000020200000000010800');
    expect(hex(ethernet({ vlans: [{ id: 5 }, { id: 7, priority: 3 }] }, ipv6({}, udp())).subarray(12, 22))).toBe(
      '88a8000581006007' + '86dd',
    );
  });

  test('SCTP carries CRC32c', () => {
    // The check value of the CRC catalogue.
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe306_9283);
    const bytes = ipv4({}, sctp({ source: 1, destination: 2 })).slice(20);
    const stored = new DataView(bytes.buffer).getUint32(8, true);
    bytes.fill(0, 8, 12);
    expect(crc32c(bytes)).toBe(stored);
  });

  test('nonsense addresses are a programming error', () => {
    expect(() => ipv4({ source: '::1' }, udp())).toThrow(RangeError);
  });
});

describe('fragments', () => {
  test('IPv4 pieces make up the payload again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.constantFrom(8, 16, 64), (length, size) => {
        const whole = ipv4({}, udp({ data: Uint8Array.from({ length }, (_, at) => at) }));
        const parts = fragmentIpv4(whole, evenPieces(whole.length - 20, size));
        expect(Buffer.concat(parts.map((part) => part.subarray(20)))).toEqual(Buffer.from(whole.subarray(20)));
        for (const [at, part] of parts.entries()) {
          expect(internetChecksum(part.subarray(0, 20))).toBe(0);
          expect(Number(readHeaderField(part, 'ipv4', 'fragmentOffset'))).toBe((at * size) / 8);
          expect(Number(readHeaderField(part, 'ipv4', 'moreFragments'))).toBe(at < parts.length - 1 ? 1 : 0);
        }
      }),
    );
  });

  test('IPv6 pieces carry the fragment header', () => {
    const [first, second] = fragmentIpv6(ipv6({}, udp({ data: new Uint8Array(8) })), evenPieces(16, 8), 0xabcd);
    expect(hex(first!.subarray(40, 48))).toBe('110000010000abcd');
    expect(hex(second!.subarray(40, 48))).toBe('110000080000abcd');
    expect(first![6]).toBe(44);
  });
});

test.each([
  [
    ipv4({ source: '10.0.0.1' }, tcp({ source: 1, destination: 80, flags: 18 })),
    'ipv4',
    'IPv4 10.0.0.1 > 192.0.2.2 tcp 1 > 80 [SYN ACK] ttl 64 len 40',
  ],
  [
    ipv4({ fragmentOffset: 3, totalLength: 99 }, udp()),
    'ipv4',
    'IPv4 192.0.2.1 > 192.0.2.2 last fragment at 24 udp ttl 64 len 28 (says 99)',
  ],
  [
    ipv4({ ihl: 4 }, truncated(udp(), 0)),
    'ipv4',
    'IPv4 192.0.2.1 > 192.0.2.2 udp 49152 > 514 (4 bytes) ttl 64 len 20 ihl 4',
  ],
  [ipv4({}, ah({ spi: 1 }, esp())), 'ipv4', 'IPv4 192.0.2.1 > 192.0.2.2 ah ttl 64 len 52'],
  [
    ipv6({ extensions: [{ kind: 'hopByHop' }] }, icmp({ type: 128 })),
    'ipv6',
    'IPv6 2001:db8::1 > 2001:db8::2 hop-by-hop icmpv6 type 128 code 0 hops 64 len 56',
  ],
  [
    ipv6({ extensions: [{ kind: 'destination' }], cut: 1 }, udp()),
    'ipv6',
    'IPv6 2001:db8::1 > 2001:db8::2 destination-options (cut) hops 64 len 41',
  ],
  [
    ipv6({ extensions: [{ kind: 'fragment', offset: 2, more: 1 }] }, tcp()),
    'ipv6',
    'IPv6 2001:db8::1 > 2001:db8::2 middle fragment at 16 tcp hops 64 len 68',
  ],
] as const)('in one line: %#', (packet, family, text) => {
  expect(describePacket(packet, family)).toBe(text);
});

test('describing never fails', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.constantFrom('ipv4' as const, 'ipv6' as const),
      (bytes, family) => {
        expect(describePacket(bytes, family)).toMatch(/^IPv[46] /);
      },
    ),
  );
});
