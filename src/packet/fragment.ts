/** Cutting whole packets into fragments, properly or not. */

import { internetChecksum } from './checksum.ts';
import { buildHeader, readHeaderField, writeField } from './headers.ts';
import { join, PROTOCOL } from './transport.ts';

/** A piece of the payload: first byte (a multiple of 8) and length in bytes. */
export interface Piece {
  readonly start: number;
  readonly length: number;
  /** The "more fragments" flag; set unless this piece reaches the end of the payload. */
  readonly more?: boolean;
}

/** Pieces of `size` bytes (a multiple of 8) that make up `length` bytes. */
export function evenPieces(length: number, size: number): readonly Piece[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, at) => ({
    start: at * size,
    length: Math.min(size, length - at * size),
  }));
}

/** The fragments of an IPv4 packet without options copied anew: header length as in the packet, lengths and checksum fresh. */
export function fragmentIpv4(packet: Uint8Array, pieces: readonly Piece[]): readonly Uint8Array[] {
  const ihl = Number(readHeaderField(packet, 'ipv4', 'ihl')) * 4;
  const body = packet.subarray(ihl);
  return pieces.map((piece) => {
    const header = packet.slice(0, ihl);
    const data = body.subarray(piece.start, piece.start + piece.length);
    const more = piece.more ?? piece.start + piece.length < body.length;
    writeField(header, 'ipv4', 'totalLength', ihl + data.length);
    writeField(header, 'ipv4', 'fragmentOffset', piece.start / 8);
    writeField(header, 'ipv4', 'moreFragments', more ? 1 : 0);
    writeField(header, 'ipv4', 'checksum', 0);
    writeField(header, 'ipv4', 'checksum', internetChecksum(header));
    return join(header, data);
  });
}

/** The fragments of an IPv6 packet: the fragment header follows the fixed header, everything else is what gets cut. */
export function fragmentIpv6(packet: Uint8Array, pieces: readonly Piece[], id = 1): readonly Uint8Array[] {
  const body = packet.subarray(40);
  const nextHeader = packet[6]!;
  return pieces.map((piece) => {
    const header = packet.slice(0, 40);
    const data = body.subarray(piece.start, piece.start + piece.length);
    const more = (piece.more ?? piece.start + piece.length < body.length) ? 1 : 0;
    writeField(header, 'ipv6', 'nextHeader', PROTOCOL.fragment);
    writeField(header, 'ipv6', 'payloadLength', 8 + data.length);
    return join(header, buildHeader('fragment', { nextHeader, offset: piece.start / 8, more, id }), data);
  });
}
