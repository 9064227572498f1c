/** IPv6 packets that look at a scan of extension headers from all sides. */

import { parseAddress } from '../../src/packet/address.ts';
import { ipv6 } from '../../src/packet/craft.ts';
import { raw } from '../../src/packet/transport.ts';
import type { ExtensionHeaderScan, HeaderTest } from '../../src/policy/scan.ts';

/** A header as bytes; the first is filled in with the number of what follows. */
interface Header {
  readonly number: number;
  readonly bytes: Uint8Array;
}

const TCP = 6;
const [ESP, NONE] = [50, 59];
const TCP_HEADER = Uint8Array.of(3, 232, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0);

const header = (number: number, ...bytes: readonly number[]): Header => ({ number, bytes: Uint8Array.from(bytes) });
/** One PadN option: nothing that the stack minds. */
const HOP = header(0, 0, 0, 1, 4, 0, 0, 0, 0);
const DESTINATION = header(60, 0, 0, 1, 4, 0, 0, 0, 0);
const LONG = header(60, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
/** Longer than any packet here. */
const ENDLESS = header(60, 0, 200, 1, 4, 0, 0, 0, 0);
const ROUTING = header(43, 0, 0, 9, 0, 0, 0, 0, 0);
const FIRST = header(44, 0, 0, 0, 1, 0, 0, 0, 7);
const ATOMIC = header(44, 0, 0, 0, 0, 0, 0, 0, 7);
const LATER = header(44, 0, 0, 0, 9, 0, 0, 0, 7);
const AUTH = header(51, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, ...new Array<number>(12).fill(0));

/** Headers one behind the other, then `last` with its bytes. */
function packet(chain: readonly Header[], last = TCP, bytes: Uint8Array = TCP_HEADER, cut?: number): Uint8Array {
  const parts = chain.map(({ bytes: own }, at) => {
    const filled = own.slice();
    filled[0] = chain[at + 1]?.number ?? last;
    return filled;
  });
  const body = Uint8Array.from([...parts, bytes].flatMap((part) => [...part]));
  return ipv6({}, raw(chain[0]?.number ?? last, body.subarray(0, cut)));
}

/** Packets for a scan of one header: as it should be, each number beside its edges, in different company, cut at all places. */
export function extensionPackets(scan: ExtensionHeaderScan): readonly Uint8Array[] {
  const wanted = scan.tests.reduce((bytes, test) => put(bytes, test, test.ranges[0]?.min ?? 0), start(scan));
  const bodies = restOf(scan, wanted);
  const right: Header = { number: scan.header, bytes: bodies[0]! };
  const variants = [
    ...bodies,
    ...scan.tests.flatMap((test) => valuesAround(test).map((value) => put(bodies[0]!, test, value))),
    ...[0, 1, 2, 4].map((length) => put(bodies[0]!, { offset: 1, size: 1 }, length)),
    ...[0, 1, 2, 3].map((value) => put(bodies[0]!, { offset: 3, size: 1 }, value)),
  ].map((bytes) => packet([{ number: scan.header, bytes }]));
  const company = [HOP, DESTINATION, LONG, ENDLESS, ROUTING, FIRST, ATOMIC, LATER, AUTH];
  const around = company.flatMap((other) => [
    packet([other, right]),
    packet([right, other]),
    packet([HOP, other, right]),
  ]);
  const ends = [TCP, ESP, NONE, 17, 58, 135, scan.header].map((last) => packet([right], last));
  const whole = right.bytes.length;
  const cuts = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    scan.least - 1,
    scan.least,
    whole - 9,
    whole - 8,
    whole - 1,
    whole,
    whole + 1,
  ];
  const short = cuts.filter((cut) => cut >= 0).map((cut) => packet([right], TCP, TCP_HEADER, cut));
  const behind = cuts.filter((cut) => cut >= 0).map((cut) => packet([DESTINATION, right], TCP, TCP_HEADER, 8 + cut));
  return unique([
    packet([right]),
    packet([right, right]),
    ...variants,
    ...around,
    ...ends,
    ...short,
    ...behind,
    packet([]),
  ]);
}

function start({ header: number, least }: ExtensionHeaderScan): Uint8Array {
  const length = number === 51 ? 24 : Math.max(8, Math.ceil(least / 8) * 8);
  const bytes = new Uint8Array(length);
  if (number !== 44) bytes[1] = number === 51 ? length / 4 - 2 : length / 8 - 1;
  return bytes;
}

/** The header with everything its `rest` asks for, then wrong in one way each. */
function restOf({ rest }: ExtensionHeaderScan, fixed: Uint8Array): readonly Uint8Array[] {
  switch (rest?.kind) {
    case undefined:
      return [fixed, grown(fixed, new Uint8Array(8)), grown(fixed, new Uint8Array(24))];
    case 'options': {
      const build = (list: readonly { readonly type: number; readonly length?: number }[]): Uint8Array =>
        grown(
          fixed.subarray(0, 2),
          Uint8Array.from(
            list.flatMap(({ type, length = 3 }) =>
              type === 0 ? [0] : [type, length, ...new Array<number>(length).fill(0)],
            ),
          ),
        );
      const { options } = rest;
      return [
        build(options),
        build([...options, { type: 1, length: 9 }]),
        ...options.map((_, at) => build(options.filter((__, other) => other !== at))),
        ...options.flatMap((option, at) =>
          [1, -1].flatMap((step) => [
            build(options.with(at, { ...option, type: (option.type + step) & 255 })),
            build(options.with(at, { ...option, length: ((option.length ?? 6) + step) & 255 })),
          ]),
        ),
      ];
    }
    case 'addresses': {
      const other = '20010db8000000000000000000000099';
      const build = (list: readonly string[]): Uint8Array => grown(fixed.slice(0, 8), fromHex(list.join('')));
      const { addresses } = rest;
      return [
        build(addresses),
        build([...addresses, other]),
        build([other, ...addresses]),
        build(addresses.flatMap((address) => [other, address])),
        build(addresses.toReversed()),
        build(addresses.slice(1)),
        build(addresses.slice(0, -1)),
        build(addresses.with(-1, other)),
        build(addresses.flatMap((address) => [address, address])),
        grown(build(addresses), new Uint8Array(8)),
      ];
    }
    case 'segments': {
      const asked = rest.tests.map(({ address }) => address);
      const build = (left: number, list: readonly string[], last = list.length - 1): Uint8Array => {
        const bytes = grown(fixed.slice(0, 8), fromHex(list.join('')));
        bytes[3] = left;
        bytes[4] = last;
        return bytes;
      };
      const fill = (at: number): string =>
        (parseAddress('2001:db8::50', 'ipv6')! + BigInt(at)).toString(16).padStart(32, '0');
      const five = Array.from({ length: 5 }, (_, at) => fill(at));
      const placed = (left: number): Uint8Array => {
        const list = [...five];
        for (const { segment, address } of rest.tests)
          list[segment === 'last' ? 0 : segment === 'next' ? left - 1 : left + 1] = address;
        return build(left, list.slice(0, 5));
      };
      return [
        placed(2),
        placed(1),
        placed(3),
        build(0, five),
        build(4, five),
        build(5, five),
        build(2, five, 9),
        build(9, five, 9),
        build(3, asked),
        build(1, [...asked, ...asked]),
      ];
    }
  }
}

/** More bytes behind a header, padded to 8; its length follows. */
function grown(bytes: Uint8Array, more: Uint8Array): Uint8Array {
  const length = Math.ceil((bytes.length + more.length) / 8) * 8;
  const out = new Uint8Array(length);
  out.set(bytes);
  out.set(more, bytes.length);
  out[1] = length / 8 - 1;
  return out;
}

function valuesAround({ size, ranges }: HeaderTest): readonly number[] {
  const top = 2 ** (8 * size) - 1;
  const all = ranges.flatMap(({ min, max }) => [min - 1, min, max, max + 1]);
  return [...all, 0, 1, top].filter((value) => value >= 0 && value <= top);
}

function put(header: Uint8Array, { offset, size, mask }: Omit<HeaderTest, 'ranges'>, value: number): Uint8Array {
  const out = new Uint8Array(Math.max(header.length, offset + size));
  out.set(header);
  const bits = BigInt(mask ?? 2 ** (8 * size) - 1);
  for (let at = 0; at < size; at++) {
    const shift = BigInt(8 * (size - 1 - at));
    const own = Number((bits >> shift) & 255n);
    out[offset + at] = (out[offset + at]! & ~own) | (Number((BigInt(value) >> shift) & 255n) & own);
  }
  return out;
}

/** Every set of headers in two orders, with different ends, cut at different places. */
export function headerSetPackets(): readonly Uint8Array[] {
  const known = [HOP, ROUTING, ATOMIC, AUTH, DESTINATION];
  const sets = Array.from({ length: 32 }, (_, bits) => known.filter((__, at) => (bits & (1 << at)) !== 0));
  const all = [
    ...sets,
    ...sets.map((set) => set.toReversed()),
    [LATER],
    [LATER, HOP],
    [DESTINATION, ENDLESS],
    [ENDLESS],
  ];
  return unique([
    ...all.flatMap((chain) => [TCP, ESP, NONE].map((last) => packet(chain, last))),
    ...[TCP, ESP, NONE, 0].flatMap((last) =>
      [0, 1, 2, 3].flatMap((cut) => [packet([], last, TCP_HEADER, cut), packet([LONG], last, TCP_HEADER, 16 + cut)]),
    ),
    ...[1, 2, 7, 8, 15].map((cut) => packet([LONG, HOP], ESP, TCP_HEADER, cut)),
  ]);
}

function unique(list: readonly Uint8Array[]): readonly Uint8Array[] {
  return [...new Map(list.map((bytes) => [Buffer.from(bytes).toString('hex'), bytes])).values()];
}

function fromHex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits, 'hex'));
}
