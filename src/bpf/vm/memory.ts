/**
 * The address space of the virtual machine. Every region has the upper 32 bits of its addresses for itself, so finding
 * the region of an address is one array index, and a pointer that runs off its region never lands in another one.
 *
 *     address = (FIRST_HI + region index) << 32 | LOW_BASE + offset
 *
 * Addresses look like kernel addresses (upper half, page aligned) and are multiples of 8 where the offset is, so tags
 * in the low bits of a pointer (skb->_nfct, skb->_skb_refdst) survive.
 */

/** Upper half of the first region's addresses, as a signed 32-bit number: 0xffff8880. */
const FIRST_HI = 0xffff8880 | 0;
const LOW_BASE = 0x10000;

export interface Region {
  readonly name: string;
  /** Address of byte 0. */
  readonly base: bigint;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly writable: boolean;
  /**
   * What a load past the end does. Strict: it is a fault, as the verifier would have refused it (stack, map values,
   * context). Otherwise it is what a fault-tolerant load of the kernel does (BPF_PROBE_MEM): it reads zero.
   */
  readonly strict: boolean;
}

export interface Memory {
  readonly regions: (Region | undefined)[];
  /** The region that the last successful `locate` found. */
  hit: Region;
}

/** A memory access that the real machine would not survive or the verifier would not have let through. */
export class VmFault extends Error {
  override name = 'VmFault';
}

const NOWHERE: Region = makeRegion('nowhere', 0n, new Uint8Array(0), { writable: false, strict: true });

export function createMemory(): Memory {
  return { regions: [], hit: NOWHERE };
}

/** Adds a region over `bytes` (shared, not copied) at an address of its own. */
export function mapRegion(
  memory: Memory,
  name: string,
  bytes: Uint8Array,
  options: { readonly writable: boolean; readonly strict: boolean },
): Region {
  let index = memory.regions.indexOf(undefined);
  if (index === -1) index = memory.regions.length;
  const base = BigInt.asUintN(64, (BigInt(FIRST_HI + index) << 32n) | BigInt(LOW_BASE));
  const region = makeRegion(name, base, bytes, options);
  memory.regions[index] = region;
  return region;
}

/** Removes a region; its addresses may be given to another one later. */
export function unmapRegion(memory: Memory, region: Region): void {
  const index = memory.regions.indexOf(region);
  if (index !== -1) memory.regions[index] = undefined;
  memory.hit = NOWHERE;
}

function makeRegion(
  name: string,
  base: bigint,
  bytes: Uint8Array,
  options: { readonly writable: boolean; readonly strict: boolean },
): Region {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { name, base, bytes, view, ...options };
}

/**
 * The offset of `size` bytes at the address in the region that holds them, which becomes `memory.hit`; -1 when no
 * region holds all of them. `lo` and `hi` are the halves of the address as signed or unsigned 32-bit numbers.
 */
export function locate(memory: Memory, lo: number, hi: number, size: number): number {
  const index = (hi | 0) - FIRST_HI;
  if (index < 0 || index >= memory.regions.length) return -1;
  const region = memory.regions[index];
  if (region === undefined) return -1;
  const offset = (lo >>> 0) - LOW_BASE;
  if (offset < 0 || offset + size > region.bytes.length) return -1;
  memory.hit = region;
  return offset;
}

/** The region that owns the address, whether or not the address lies within its bytes. */
export function regionOf(memory: Memory, hi: number): Region | undefined {
  const index = (hi | 0) - FIRST_HI;
  return index < 0 || index >= memory.regions.length ? undefined : memory.regions[index];
}

/** The `size` bytes at an address, as a view of the region; undefined when they are not all there. */
export function bytesAt(memory: Memory, address: bigint, size: number): Uint8Array | undefined {
  const offset = locate(memory, lowHalf(address), highHalf(address), size);
  return offset === -1 ? undefined : memory.hit.bytes.subarray(offset, offset + size);
}

/** As `bytesAt`, and throws VmFault when they are not there or may not be written. `what` names the access. */
export function requireBytes(
  memory: Memory,
  address: bigint,
  size: number,
  what: string,
  access: 'read' | 'write',
): Uint8Array {
  const bytes = bytesAt(memory, address, size);
  if (bytes === undefined) throw new VmFault(`${what}: ${size} bytes at ${hexAddress(address)} are not there`);
  if (access === 'write' && !memory.hit.writable) {
    throw new VmFault(`${what}: ${memory.hit.name} at ${hexAddress(address)} is read-only`);
  }
  return bytes;
}

/** Low 32 bits, signed. */
export function lowHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

/** High 32 bits, signed. */
export function highHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}

/** Joins two 32-bit halves into an unsigned 64-bit value. */
export function joinHalves(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

export function hexAddress(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16)}`;
}
