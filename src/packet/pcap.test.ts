import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { ethernet, ipv4, ipv6 } from './craft.ts';
import { describePacket } from './describe.ts';
import { readHeaderField } from './headers.ts';
import { LINK_TYPES, type LinkType } from './link-type.ts';
import { type CapturedPacket, readPcap, writePcap } from './pcap.ts';
import { join as concat, udp } from './transport.ts';

const four = ipv4({}, udp());
const six = ipv6({}, udp());

describe('reading what we write', () => {
  test.each(['little', 'big'] as const)('%s endian, both precisions', (byteOrder) => {
    const time = 1_700_000_000_123_456_789n;
    const frame = ethernet({}, four);
    const nano = readPcap(
      writePcap([{ frame, time, originalLength: 99 }], { linkType: 'EN10MB', byteOrder, precision: 'nano' }),
    );
    expect(nano).toEqual({
      linkType: 1,
      packets: [
        { frame, time, originalLength: 99, packet: { kind: 'ip', family: 'ipv4', bytes: four, ethernet: frame } },
      ],
    });
    const micro = readPcap(writePcap([{ frame, time }], { linkType: 'EN10MB', byteOrder }));
    expect(micro.packets[0]).toMatchObject({ time: time - 789n, originalLength: frame.length });
  });

  const sll = (type: number): Uint8Array => Uint8Array.of(...new Array<number>(14).fill(0), type >> 8, type & 255);
  const cases: readonly (readonly [LinkType, Uint8Array, 'ipv4' | 'ipv6'])[] = [
    ['NULL', concat(Uint8Array.of(2, 0, 0, 0), four), 'ipv4'],
    ['NULL', concat(Uint8Array.of(30, 0, 0, 0), six), 'ipv6'],
    ['EN10MB', ethernet({ vlans: [{ id: 1 }, { id: 2 }] }, six), 'ipv6'],
    ['SLIP', concat(new Uint8Array(16), four), 'ipv4'],
    ['PPP', concat(Uint8Array.of(0xff, 3, 0, 0x21), four), 'ipv4'],
    ['PPP', concat(Uint8Array.of(0, 0x57), six), 'ipv6'],
    ['PPP_SERIAL', concat(Uint8Array.of(0xff, 3, 0, 0x57), six), 'ipv6'],
    ['PPP_SERIAL', concat(Uint8Array.of(0x0f, 0, 8, 0), four), 'ipv4'],
    ['RAW', six, 'ipv6'],
    ['LINUX_SLL', concat(sll(0x0800), four), 'ipv4'],
    ['LINUX_SLL2', concat(Uint8Array.of(0x86, 0xdd, ...new Array<number>(18).fill(0)), six), 'ipv6'],
    ['IPV4', four, 'ipv4'],
    ['IPV6', six, 'ipv6'],
  ];
  test.each(cases)('%s (case %#)', (linkType, frame, family) => {
    const [read] = readPcap(writePcap([{ frame }], { linkType })).packets;
    expect(read!.packet).toMatchObject({ kind: 'ip', family, bytes: family === 'ipv4' ? four : six });
  });

  test.each([
    ['NULL', Uint8Array.of(7, 0, 0, 0), 'address family 7 is not IP'],
    ['EN10MB', ethernet({ type: 0x0806 }, new Uint8Array(28)), 'protocol 0x0806 is not IP'],
    ['EN10MB', new Uint8Array(13), 'Ethernet frame of 13 bytes has no room for its header'],
    ['PPP', Uint8Array.of(0xc0, 0x21), 'PPP protocol 0xc021 is not IP'],
    ['PPP_SERIAL', Uint8Array.of(1, 2, 3, 4), 'serial framing 0x0102 is neither PPP nor Cisco HDLC'],
    ['RAW', Uint8Array.of(0x50), 'IP version 5 is neither 4 nor 6'],
    ['RAW', new Uint8Array(0), 'IP version missing is neither 4 nor 6'],
  ] as const)('%s without IP: case %#', (linkType, frame, why) => {
    expect(readPcap(writePcap([{ frame }], { linkType })).packets[0]!.packet).toEqual({ kind: 'unreadable', why });
  });

  test('a file that is cut or not a capture', () => {
    const file = writePcap([{ frame: four }, { frame: six }], { linkType: 'RAW' });
    expect(readPcap(file.subarray(0, file.length - 1))).toMatchObject({
      packets: [{}],
      damage: expect.stringContaining('packet cut'),
    });
    expect(readPcap(file.subarray(0, 24 + 8))).toMatchObject({
      packets: [],
      damage: expect.stringContaining('record header cut'),
    });
    expect(() => readPcap(file.subarray(0, 20))).toThrow('not a pcap file');
    expect(() => readPcap(new Uint8Array(24))).toThrow('not a pcap file');
  });
});

const CAPTURES = join(import.meta.dirname, '../../../shared/packets');
const present = existsSync(CAPTURES);

describe.skipIf(!present)(`captures of ../shared/packets${present ? '' : ' (skipped: absent)'}`, () => {
  const sources = present ? readFileSync(join(CAPTURES, 'SOURCES.tsv'), 'utf8').trim().split('\n').slice(1) : [];
  const rows = sources.map(
    (line) => line.split('\t') as [file: string, format: string, linkType: string, packets: string],
  );

  test('SOURCES.tsv names every file', () => {
    const files = readdirSync(CAPTURES).filter((name) => name.endsWith('.pcap'));
    expect(rows.map(([file]) => file).sort()).toEqual(files.sort());
  });

  test.each(rows)('%s', (file, _, linkType, packets) => {
    const capture = readPcap(readFileSync(join(CAPTURES, file)));
    const known = (LINK_TYPES as Record<string, number>)[linkType];
    expect(capture.linkType).toBe(known ?? Number(linkType));
    expect(capture.damage).toBeUndefined();
    expect(capture.packets.length).toBe(Number(packets));
    for (const { packet } of capture.packets)
      if (packet.kind === 'ip') expect(describePacket(packet.bytes, packet.family)).toMatch(/ len \d+/);
  });

  test('most packets can be read', () => {
    const all = rows.flatMap(
      ([file]): readonly CapturedPacket[] => readPcap(readFileSync(join(CAPTURES, file))).packets,
    );
    const readable = all.filter(({ packet }) => packet.kind === 'ip');
    expect(readable.length / all.length).toBeGreaterThan(0.9);
  });

  test('the checksums of packets made by others are those that we compute', () => {
    const { packets } = readPcap(readFileSync(join(CAPTURES, 'tcpdump-dns_tcp.pcap')));
    const sums = packets.map(({ packet }) => {
      if (packet.kind !== 'ip') return undefined;
      const whole = packet.bytes.subarray(0, Number(readHeaderField(packet.bytes, 'ipv4', 'totalLength')));
      const body = whole.subarray(20);
      const start = pseudoHeaderSum('ipv4', whole.subarray(12, 16), whole.subarray(16, 20), whole[9]!, body.length);
      return [internetChecksum(whole.subarray(0, 20)), internetChecksum(body, start)];
    });
    expect(sums).toEqual(packets.map(() => [0, 0]));
  });
});
