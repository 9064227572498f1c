/** Packets for scans of transport headers and for u32 programs, from all sides. */

import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { dccp, join, type Payload, sctp, TCP_FLAGS, tcp, truncated, udp } from '../../src/packet/transport.ts';
import { packetView, transportOf } from '../../src/policy/packet-view.ts';
import type { NumberRange } from '../../src/policy/scan.ts';
import { DCCP_HEADER, DCCP_LONG, DCCP_TYPE_BYTES, type DccpOptionScan } from '../../src/policy/scan-dccp-option.ts';
import type { SctpChunksScan } from '../../src/policy/scan-sctp-chunks.ts';
import type { TcpMssScan } from '../../src/policy/scan-tcp-mss.ts';
import type { U32Scan } from '../../src/policy/scan-u32.ts';

type HeaderScan = SctpChunksScan | DccpOptionScan | TcpMssScan | U32Scan;

export function headerScanPackets(family: Family, scan: HeaderScan): readonly Uint8Array[] {
  switch (scan.kind) {
    case 'sctpChunks':
      return chunkPackets(scan).map((payload) => around(family, payload));
    case 'dccpOption':
      return dccpPackets(scan).map((payload) => around(family, payload));
    case 'tcpMss':
      return mssPackets(scan).map((payload) => around(family, payload));
    case 'u32':
      return u32Packets(family, scan);
  }
}

function around(family: Family, payload: Payload): Uint8Array {
  return family === 'ipv4' ? ipv4({}, payload) : ipv6({}, payload);
}

/** Both ends of every range, and their neighbours. */
function edges(ranges: readonly NumberRange[], max: number): readonly number[] {
  const values = ranges.flatMap((range) => [range.min - 1, range.min, range.max, range.max + 1]);
  return [...new Set(values.filter((value) => value >= 0 && value <= max))];
}

function chunk(type: number, flags = 0, length = 4): Uint8Array {
  return Uint8Array.of(type, flags, length >> 8, length & 255, ...new Uint8Array(Math.max(0, ((length + 3) & ~3) - 4)));
}

function chunkPackets({ types, flags }: SctpChunksScan): readonly Payload[] {
  const good = (type: number): Uint8Array => chunk(type, flags.find((flag) => flag.type === type)?.value);
  const bad = (type: number): Uint8Array => {
    const flag = flags.find((entry) => entry.type === type);
    return chunk(type, flag === undefined ? 0 : flag.value ^ flag.mask);
  };
  const seen = edges(types, 255);
  const wanted = types.flatMap(({ min, max }) => Array.from({ length: max - min + 1 }, (_, n) => min + n));
  const every = join(...wanted.map(good));
  const lists = [
    ...seen.flatMap((type) => [good(type), bad(type), join(bad(type), good(type)), join(good(0x77), good(type))]),
    every,
    join(...wanted.slice(1).map(good)),
    join(...wanted.map(bad)),
    join(every, good(0x77)),
    join(good(0x77), chunk(0, 0, 0)),
    join(every, Uint8Array.of(0, 0, 0)),
    join(every, chunk(0, 0, 0)),
    join(...seen.map((type) => chunk(type, flags.find((flag) => flag.type === type)?.value, 7))),
    chunk(wanted[0] ?? 0, 0, 1).subarray(0, 4),
    Uint8Array.of(wanted[0] ?? 0, 0, 0xff, 0xff),
    new Uint8Array(0),
  ];
  return lists.map((data) => sctp({ data }));
}

function dccpPackets({ option }: DccpOptionScan): readonly Payload[] {
  const other = option === 3 ? 4 : 3;
  const lists = [
    [option, 4, 0, 0],
    [0, 0, 0, option],
    [other, 2, option, 2],
    [other, 3, option, 0],
    [other, 0, option, 0],
    [other, 1, option, 0],
    [other, 40, option, 0],
    [other, 2, 0, other],
  ];
  const payloads: Payload[] = [];
  for (const [type, bytes] of DCCP_TYPE_BYTES.entries())
    for (const long of [0, 1]) {
      const start = DCCP_HEADER + bytes + (long === 1 ? DCCP_LONG : 0);
      const build = (options: readonly number[], dataOffset: number): Payload =>
        dccp({
          dataOffset,
          data: join(
            Uint8Array.of((type << 1) | long, 0, 0, 1),
            new Uint8Array(start - DCCP_HEADER),
            Uint8Array.from(options),
          ),
        });
      const list = lists[(type * 2 + long) % lists.length]!;
      payloads.push(build([], start / 4), build([], start / 4 - 1), build(list, start / 4), build(list, start / 4 + 1));
      payloads.push(build(list, start / 4 + 2), build(list, 255));
    }
  for (const list of lists)
    payloads.push(dccp({ dataOffset: 4, data: join(Uint8Array.of(4, 0, 0, 1), Uint8Array.from(list)) }));
  return payloads;
}

function mssPackets({ ranges }: TcpMssScan): readonly Payload[] {
  const syn = (options: readonly number[]): Payload => tcp({ flags: TCP_FLAGS.SYN, options: Uint8Array.from(options) });
  const sizes = edges(ranges, 0xffff).map((size) => [size >> 8, size & 255]);
  const [high = 0, low = 0] = sizes[1] ?? [];
  const lists = [
    ...sizes.map((size) => [2, 4, ...size]),
    ...sizes.map((size) => [1, 0, 3, 3, 7, 2, 4, ...size, 0, 0, 0]),
    [2, 3, high, 2, 4, high, low, 0],
    [2, 0, 4, high, low, 0, 0, 0],
    [8, 1, 2, 4, high, low, 0, 0],
    [8, 40, 2, 4, high, low, 0, 0],
    [1, 2, 4, high],
    [1, 1, 2, 4],
    [1, 1, 1, 2],
    [2, 4, 0, 1, 2, 4, high, low],
  ];
  return [
    ...lists.map(syn),
    truncated(syn([2, 4, high, low]), 23),
    tcp({ flags: TCP_FLAGS.SYN, dataOffset: 4, options: Uint8Array.of(2, 4, high, low) }),
  ];
}

/** The bytes that a program reads last are made to give each end of its ranges. */
function u32Packets(family: Family, scan: U32Scan): readonly Uint8Array[] {
  const data = Uint8Array.from({ length: 64 }, (_, at) => at * 7);
  const last = scan.steps.findLastIndex(({ operator }) => operator === '@');
  const shift = scan.steps.slice(last + 1).reduce((sum, step) => sum + (step.operator === '>>' ? step.operand : 0), 0);
  const bases = [tcp({ flags: TCP_FLAGS.SYN, data }), udp({ data }), truncated(udp({ data }), 12)];
  return bases.flatMap((payload) => {
    const base = around(family, payload);
    const place = lastPlace(scan, base);
    const list = [base];
    if (place === undefined || place < transportOf(packetView({ family, bytes: base })).offset) return list;
    for (const value of edges(scan.ranges, 0xffffffff)) {
      const bytes = base.slice();
      new DataView(bytes.buffer).setUint32(place, (value << shift) >>> 0);
      list.push(bytes, bytes.slice(0, place + 3));
    }
    return list.map((bytes) => withLength(family, bytes));
  });
}

/** Where the program reads for the last time; undefined when it does not get there. */
function lastPlace({ start, steps }: U32Scan, bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let place = 0;
  let at = start;
  let value = at + 4 > bytes.length ? undefined : view.getUint32(at);
  for (const { operator, operand } of steps) {
    if (value === undefined) return undefined;
    if (operator === '&') value = (value & operand) >>> 0;
    else if (operator === '<<') value = (value << operand) >>> 0;
    else if (operator === '>>') value >>>= operand;
    else {
      place += value;
      at = place + operand;
      value = at + 4 > bytes.length ? undefined : view.getUint32(at);
    }
  }
  return value === undefined ? undefined : at;
}

function withLength(family: Family, bytes: Uint8Array): Uint8Array {
  const payload: Payload = () => ({
    protocol: bytes[family === 'ipv4' ? 9 : 6]!,
    bytes: bytes.slice(family === 'ipv4' ? 20 : 40),
  });
  return around(family, payload);
}
