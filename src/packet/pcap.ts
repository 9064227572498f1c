/**
 * Classic pcap files: a 24-byte file header, then a 16-byte header before each packet. Numbers are in the byte order of
 * the machine that wrote the file, which the magic tells.
 *
 *     magic 4 | version 2+2 | zone 4 | accuracy 4 | snap length 4 | link type 4
 *     seconds 4 | fraction 4 | captured length 4 | original length 4 | bytes
 */

import { type Decapsulated, decapsulate, LINK_TYPES, type LinkType } from './link-type.ts';

const MAGIC_MICRO = 0xa1b2_c3d4;
const MAGIC_NANO = 0xa1b2_3c4d;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

export interface CapturedPacket {
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** As captured, from the link layer on. */
  readonly frame: Uint8Array;
  /** Length of the frame on the wire; more than `frame.length` when the capture was cut. */
  readonly originalLength: number;
  /** The packet inside, or why there is none. */
  readonly packet: Decapsulated;
}

export interface Capture {
  readonly linkType: number;
  readonly packets: readonly CapturedPacket[];
  /** Why reading stopped before the end of the file: the last record is cut. */
  readonly damage?: string;
}

/** Reads a capture. Throws RangeError if the file is not a classic pcap file at all; damage further on is reported in the result. */
export function readPcap(file: Uint8Array): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < FILE_HEADER) throw new RangeError('not a pcap file: shorter than its header');
  const littleEndian = isMagic(view.getUint32(0, true));
  if (!littleEndian && !isMagic(view.getUint32(0, false))) throw new RangeError('not a pcap file: unknown magic');
  const perSecond = view.getUint32(0, littleEndian) === MAGIC_NANO ? 1n : 1000n;
  // The upper bits of the word can tell of a frame check sequence.
  const linkType = view.getUint32(20, littleEndian) & 0xffff;

  const packets: CapturedPacket[] = [];
  let at = FILE_HEADER;
  while (at < file.length) {
    if (at + RECORD_HEADER > file.length) return { linkType, packets, damage: `record header cut at byte ${at}` };
    const [seconds, fraction, captured, originalLength] = [0, 4, 8, 12].map((offset) =>
      view.getUint32(at + offset, littleEndian),
    ) as [number, number, number, number];
    const start = at + RECORD_HEADER;
    const frame = file.subarray(start, start + captured);
    if (frame.length < captured) return { linkType, packets, damage: `packet cut at byte ${file.length}` };
    packets.push({
      time: BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * perSecond,
      frame,
      originalLength,
      packet: decapsulate(frame, linkType, littleEndian),
    });
    at = start + captured;
  }
  return { linkType, packets };
}

function isMagic(word: number): boolean {
  return word === MAGIC_MICRO || word === MAGIC_NANO;
}

export interface PcapOptions {
  readonly linkType: LinkType;
  readonly byteOrder?: 'little' | 'big';
  readonly precision?: 'micro' | 'nano';
}

/** Writes a capture file; `originalLength` is the frame's length unless given, `time` 0. */
export function writePcap(
  packets: readonly { readonly frame: Uint8Array; readonly time?: bigint; readonly originalLength?: number }[],
  options: PcapOptions,
): Uint8Array {
  const littleEndian = options.byteOrder !== 'big';
  const nano = options.precision === 'nano';
  const file = new Uint8Array(packets.reduce((sum, packet) => sum + RECORD_HEADER + packet.frame.length, FILE_HEADER));
  const view = new DataView(file.buffer);
  view.setUint32(0, nano ? MAGIC_NANO : MAGIC_MICRO, littleEndian);
  view.setUint16(4, 2, littleEndian);
  view.setUint16(6, 4, littleEndian);
  view.setUint32(16, 262_144, littleEndian);
  view.setUint32(20, LINK_TYPES[options.linkType], littleEndian);
  let at = FILE_HEADER;
  for (const { frame, time = 0n, originalLength = frame.length } of packets) {
    const fraction = time % 1_000_000_000n;
    view.setUint32(at, Number(time / 1_000_000_000n), littleEndian);
    view.setUint32(at + 4, Number(nano ? fraction : fraction / 1000n), littleEndian);
    view.setUint32(at + 8, frame.length, littleEndian);
    view.setUint32(at + 12, originalLength, littleEndian);
    file.set(frame, at + RECORD_HEADER);
    at += RECORD_HEADER + frame.length;
  }
  return file;
}
