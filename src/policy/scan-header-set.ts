import { HEADER_BITS, type HeaderSetScan, type ScanOutcome } from './scan.ts';

const FIXED_HEADER = 40;
const NONE = 59;
const ESP = 50;
const FRAGMENT = 44;
const AUTH = 51;
const STEPPED_OVER: Readonly<Record<number, number>> = {
  0: HEADER_BITS['hop-by-hop'],
  43: HEADER_BITS['ipv6-route'],
  44: HEADER_BITS['ipv6-frag'],
  51: HEADER_BITS.ah,
  60: HEADER_BITS['ipv6-opts'],
};

/**
 * ipv6header_mt6. Unlike ipv6_find_hdr it walks on behind a later fragment's header, stops when a header is longer than the
 * packet (what would follow counts as a protocol then), and wants two bytes even of ESP.
 */
export function scanHeaderSet(scan: HeaderSetScan, bytes: Uint8Array): ScanOutcome {
  const found = headerBits(bytes);
  if (found === undefined) return 'no';
  return ((found & scan.mask) === scan.value) !== scan.invert ? 'yes' : 'no';
}

function headerBits(bytes: Uint8Array): number | undefined {
  let next = bytes[6] ?? 0;
  let at = FIXED_HEADER;
  let bits = 0;
  for (;;) {
    if (next === NONE) return bits | HEADER_BITS['ipv6-nonxt'];
    const bit = STEPPED_OVER[next];
    if (bit === undefined && next !== ESP) return bits | HEADER_BITS.protocol;
    if (bytes.length - at < 2) return undefined;
    if (bit === undefined) return bits | HEADER_BITS.esp;
    bits |= bit;
    const length = bytes[at + 1] ?? 0;
    const step = next === FRAGMENT ? 8 : next === AUTH ? (length + 2) * 4 : (length + 1) * 8;
    next = bytes[at] ?? 0;
    at += step;
    if (at > bytes.length) return next === NONE || next === ESP ? bits : bits | HEADER_BITS.protocol;
  }
}
