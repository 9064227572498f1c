import type {
  AddressSequence,
  ExtensionHeaderScan,
  HeaderTest,
  OptionSequence,
  ScanOutcome,
  SegmentTests,
} from './scan.ts';

const FIXED_HEADER = 40;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTH = 51;
const STEPPED_OVER: ReadonlySet<number> = new Set([0, ROUTING, FRAGMENT, AUTH, 60]);

/**
 * ipv6_find_hdr with a target among the extension headers: its place, 'absent' (ENOENT), or 'broken' (EBADMSG). Behind
 * the header of a later fragment nothing is found.
 */
export function findExtensionHeader(bytes: Uint8Array, header: number): number | 'absent' | 'broken' {
  let next = bytes[6] ?? 0;
  let at = FIXED_HEADER;
  while (STEPPED_OVER.has(next)) {
    const long = next === ROUTING || next === FRAGMENT;
    if (at + (long ? 4 : 2) > bytes.length) return 'broken';
    if (next === header) return at;
    if (next === FRAGMENT && (number(bytes, at + 2, 2) & 0xfff8) !== 0) return 'absent';
    const length = bytes[at + 1] ?? 0;
    const step = next === FRAGMENT ? 8 : next === AUTH ? (length + 2) * 4 : (length + 1) * 8;
    next = bytes[at] ?? 0;
    at += step;
  }
  return 'absent';
}

/** Finds the header and runs all its tests. */
export function scanExtensionHeader(scan: ExtensionHeaderScan, bytes: Uint8Array): ScanOutcome {
  const place = findExtensionHeader(bytes, scan.header);
  if (place === 'absent') return 'no';
  if (place === 'broken' || bytes.length - place < scan.least) return scan.unreadable;
  const header = bytes.subarray(place);
  if (scan.cut !== undefined && header.length < lengthOf(header, scan.header)) return scan.cut;
  if (!scan.tests.every((test) => holds(test, header))) return 'no';
  return scan.rest === undefined || restHolds(scan.rest, header) ? 'yes' : 'no';
}

function lengthOf(header: Uint8Array, kind?: number): number {
  const byte = header[1] ?? 0;
  return kind === AUTH ? (byte + 2) * 4 : (byte + 1) * 8;
}

function holds({ offset, size, mask, ranges }: HeaderTest, header: Uint8Array): boolean {
  const whole = number(header, offset, size);
  const value = mask === undefined ? whole : (whole & mask) >>> 0;
  return ranges.some(({ min, max }) => min <= value && value <= max);
}

function restHolds(rest: OptionSequence | AddressSequence | SegmentTests, header: Uint8Array): boolean {
  switch (rest.kind) {
    case 'options':
      return optionsHold(rest, header);
    case 'addresses':
      return addressesHold(rest, header);
    case 'segments':
      return segmentsHold(rest, header);
  }
}

/** The last option may reach behind the header; no other may. */
function optionsHold({ options }: OptionSequence, header: Uint8Array): boolean {
  let at = 2;
  let left = lengthOf(header) - 2;
  for (const [index, { type, length }] of options.entries()) {
    if (left < 1 || header[at] !== type) return false;
    let step = 1;
    if (type !== 0) {
      if (left < 2) return false;
      const actual = header[at + 1] ?? 0;
      if (length !== undefined && actual !== length) return false;
      step = actual + 2;
    }
    if (left < step && index < options.length - 1) return false;
    at += step;
    left -= step;
  }
  return true;
}

const ADDRESSES = 8;
const ADDRESS = 16;

function addressesHold({ addresses, strict }: AddressSequence, header: Uint8Array): boolean {
  const count = (lengthOf(header) - ADDRESSES) >> 4;
  const present = Array.from({ length: count }, (_, at) => hex(header, ADDRESSES + at * ADDRESS));
  if (strict) return present.join() === addresses.join();
  let found = 0;
  for (const address of present) if (address === addresses[found]) found++;
  return found === addresses.length;
}

function segmentsHold({ tests }: SegmentTests, header: Uint8Array): boolean {
  const left = header[3] ?? 0;
  const last = header[4] ?? 0;
  if (left > last) return false;
  return tests.every(({ segment, address, mask, invert }) => {
    if (segment === 'previous' && left === last) return false;
    if (segment === 'next' && left === 0) return false;
    const index = segment === 'last' ? 0 : segment === 'next' ? left - 1 : left + 1;
    const at = ADDRESSES + index * ADDRESS;
    if (at + ADDRESS > header.length) return false;
    const equal = (BigInt(`0x${hex(header, at)}`) & BigInt(`0x${mask}`)) === BigInt(`0x${address}`);
    return equal !== invert;
  });
}

function number(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 256 + (bytes[i] ?? 0);
  return value;
}

function hex(bytes: Uint8Array, at: number): string {
  return Array.from({ length: ADDRESS }, (_, i) => (bytes[at + i] ?? 0).toString(16).padStart(2, '0')).join('');
}
