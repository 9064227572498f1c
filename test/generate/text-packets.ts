/** Packets with a text that rules look for: at every edge, cut off, twice, nearly, in other letters. */

import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { udp } from '../../src/packet/transport.ts';
import { capital, type TextScan } from '../../src/policy/scan-text.ts';

/** Network and UDP headers. */
const BEFORE = { ipv4: 28, ipv6: 48 } as const;
const FILLER = 0x2e;

export function textPackets(family: Family, { pattern, from, to }: TextScan): readonly Uint8Array[] {
  const text = Uint8Array.from(pattern.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  const header = BEFORE[family];
  const packet = (length: number, ...texts: readonly (readonly [at: number, bytes: Uint8Array])[]): Uint8Array => {
    const data = new Uint8Array(Math.max(0, length - header)).fill(FILLER);
    for (const [at, bytes] of texts)
      for (const [i, byte] of bytes.entries()) if (at + i >= header && at + i < length) data[at + i - header] = byte;
    const payload = udp({ source: 1000, destination: 80, data });
    return family === 'ipv4' ? ipv4({}, payload) : ipv6({}, payload);
  };
  const size = Math.max(header + text.length + 90, Math.min(to, 1200) + text.length + 40, Math.min(from, 1200) + 200);
  const near = [0, 1, 7, 8, 9, 31, 32, 33, 40, 41].map((step) => header + step);
  const edges = [from, from - 1, from + 1, to - text.length, to - text.length + 1, to - text.length - 1, to];
  const last = [size - text.length, size - text.length + 1];
  const places = [...new Set([...near, ...edges, ...last])].filter((at) => at >= header && at < size);
  const changed = text.with(-1, text.at(-1)! ^ 1);
  const small = text.map((byte) => (capital(byte + 0x20) === byte ? byte + 0x20 : byte));
  const mixed = text.map((byte, at) => (at % 2 === 0 ? small[at]! : byte));
  const odd = text.map((byte) => byte ^ 0x20);
  const middle = header + 37;
  return [
    ...places.map((at) => packet(size, [at, text])),
    ...[changed, small, mixed, odd, text.with(0, text[0]! ^ 1), text.slice(0, -1)].map((bytes) =>
      packet(size, [middle, bytes]),
    ),
    packet(size, [middle, changed], [middle + 1, text]),
    packet(size, [middle, text.slice(0, -1)], [middle + text.length - 1, text]),
    packet(size, [middle, changed], [middle + text.length + 3, text]),
    packet(header, [0, text]),
    packet(header + text.length - 1, [header, text]),
    packet(header + text.length, [header, text]),
    packet(size),
  ];
}
