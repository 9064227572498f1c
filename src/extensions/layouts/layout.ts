/**
 * The structures in which matches and targets cross into the kernel (`struct xt_..._info`), described as data: each field
 * says where it lies and which option it holds, and both directions follow from that.
 */

import type { Family } from '../../packet/netfilter.ts';
import type { IpPart, OptionUse } from '../../rules/model.ts';

/** Options by name, as in contract.ts. */
export type OptionMap = Readonly<Record<string, OptionUse>>;

/** One revision of a structure. */
export interface XtLayout {
  /** The kernel's name for it, where it is not that of the extension: `-m state` is a conntrack match. */
  readonly kernelName?: string;
  readonly revision: number;
  /** Bytes, as the kernel checks them (XT_ALIGN). */
  readonly size: number;
  /** Bytes that user space fills; what lies behind is the kernel's own and is neither read nor written. Default: all. */
  readonly userSize?: number;
  readonly families?: readonly Family[];
  /** Whether a structure of that kernel name and revision is this extension's; default: yes. */
  readonly claims?: (info: DataView) => boolean;
  readonly fields: readonly XtField[];
}

/** What the meaning of a structure can depend on beside its bytes. */
export interface XtContext {
  readonly family: Family;
  readonly ip: IpPart;
  /** Sets by their numbers; absent where there is no system to ask. */
  readonly sets?: XtSets;
}

/** Rules refer to ipsets by number. */
export interface XtSets {
  nameOf(index: number): string | undefined;
  indexOf(name: string): number | undefined;
}

/** Some bytes of a structure and the options in them. The structure is zero before `put`. */
export interface XtField {
  put(options: OptionMap, info: DataView, ctx: XtContext): void;
  /** @throws LayoutError when the bytes say nothing that an option could. */
  get(info: DataView, ctx: XtContext): OptionMap;
  /** Zeroes bytes of the field that the kernel does not look at: what is behind the end of a text, say. */
  clean?(info: DataView, ctx: XtContext): void;
}

/** Options or bytes that have no counterpart on the other side; the message completes "match "x": ...". */
export class LayoutError extends Error {
  override readonly name = 'LayoutError';
}

/** A number in a structure: little endian unless `be`. */
export interface Place {
  readonly at: number;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly be?: true;
}

export const u8 = (at: number): Place => ({ at, bytes: 1 });
export const u16 = (at: number): Place => ({ at, bytes: 2 });
export const u32 = (at: number): Place => ({ at, bytes: 4 });
export const u64 = (at: number): Place => ({ at, bytes: 8 });
export const be16 = (at: number): Place => ({ at, bytes: 2, be: true });
export const be32 = (at: number): Place => ({ at, bytes: 4, be: true });

/** One bit (or several that go together) of a number. */
export interface Bit {
  readonly place: Place;
  readonly mask: bigint;
}

export function bit(place: Place, mask: number): Bit {
  return { place, mask: BigInt(mask) };
}

export function read(info: DataView, { at, bytes, be }: Place): bigint {
  switch (bytes) {
    case 1:
      return BigInt(info.getUint8(at));
    case 2:
      return BigInt(info.getUint16(at, be !== true));
    case 4:
      return BigInt(info.getUint32(at, be !== true));
    case 8:
      return info.getBigUint64(at, be !== true);
  }
}

export function write(info: DataView, { at, bytes, be }: Place, value: bigint): void {
  switch (bytes) {
    case 1:
      info.setUint8(at, Number(value));
      break;
    case 2:
      info.setUint16(at, Number(value), be !== true);
      break;
    case 4:
      info.setUint32(at, Number(value), be !== true);
      break;
    case 8:
      info.setBigUint64(at, value, be !== true);
  }
}

export function isSet(info: DataView, { place, mask }: Bit): boolean {
  return (read(info, place) & mask) === mask;
}

export function set(info: DataView, { place, mask }: Bit): void {
  write(info, place, read(info, place) | mask);
}

/** An address of a `union nf_inet_addr`: network order, IPv4 in the first four bytes. */
export function readAddress(info: DataView, at: number, family: Family): bigint {
  if (family === 'ipv4') return read(info, be32(at));
  return (info.getBigUint64(at) << 64n) | info.getBigUint64(at + 8);
}

export function writeAddress(info: DataView, at: number, family: Family, value: bigint): void {
  if (family === 'ipv4') {
    info.setUint32(at, Number(value));
    return;
  }
  info.setBigUint64(at, value >> 64n);
  info.setBigUint64(at + 8, value & 0xffff_ffff_ffff_ffffn);
}

/** Zeroes what an IPv4 address leaves of its union. */
export function cleanAddress(info: DataView, at: number, family: Family): void {
  if (family === 'ipv4') new Uint8Array(info.buffer, info.byteOffset + at + 4, 12).fill(0);
}

/** Zeroes what stands behind the end of a text. */
export function cleanText(info: DataView, at: number, size: number): void {
  const bytes = new Uint8Array(info.buffer, info.byteOffset + at, size);
  const end = bytes.indexOf(0);
  if (end !== -1) bytes.fill(0, end);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The text up to the first NUL. @throws LayoutError when there is none, or it is no UTF-8. */
export function readText(info: DataView, at: number, size: number): string {
  const bytes = new Uint8Array(info.buffer, info.byteOffset + at, size);
  const end = bytes.indexOf(0);
  if (end === -1) throw new LayoutError(`a text of ${size} bytes has no end`);
  try {
    return decoder.decode(bytes.subarray(0, end));
  } catch {
    throw new LayoutError('a text is not UTF-8');
  }
}

/** The text, with at least one NUL behind it. @throws LayoutError when it is too long. */
export function writeText(info: DataView, at: number, size: number, text: string): void {
  const bytes = encoder.encode(text);
  if (bytes.length >= size) throw new LayoutError(`"${text}" has more than ${size - 1} bytes`);
  new Uint8Array(info.buffer, info.byteOffset + at, size).set(bytes);
}
