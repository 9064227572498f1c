/**
 * Values of rules in the one way of writing them that cannot be read differently: decimal numbers without leading zeros, whole dotted
 * quads, prefixes of 1 to 32. Whatever else iptables accepts is left to the reader of everything.
 */
import { SLOTS, type Slot } from '../../../rules/rule-columns.ts';

/** The option that a slot's value stands behind. */
export const SLOT_OPTIONS: ReadonlyMap<string, Slot> = new Map([
  ['-s', SLOTS.indexOf('source')],
  ['-d', SLOTS.indexOf('destination')],
  ['--sport', SLOTS.indexOf('sport')],
  ['--dport', SLOTS.indexOf('dport')],
]);
const FIRST_PORT = SLOTS.indexOf('sport');

/** A value that was read; one object is filled again and again. */
export interface ReadValue {
  lo: number;
  hi: number;
  /** It is printed as it was written. */
  canonical: boolean;
}

const ZERO = 0x30;
const DOT = 0x2e;
const SLASH = 0x2f;
const COLON = 0x3a;

/** Reads the value of a slot at `at`; the place behind it, or -1. What stands there is for the caller to look at. */
export function readSlot(slot: Slot, text: string, at: number, into: ReadValue): number {
  return slot < FIRST_PORT ? readAddress(text, at, into) : readPorts(text, at, into);
}

/** `a.b.c.d` or `a.b.c.d/p`. */
function readAddress(text: string, from: number, into: ReadValue): number {
  let at = from;
  let address = 0;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text.charCodeAt(at++) !== DOT) return -1;
    const begin = at;
    let octet = 0;
    for (let digit = text.charCodeAt(at) - ZERO; digit >= 0 && digit <= 9; digit = text.charCodeAt(at) - ZERO) {
      octet = octet * 10 + digit;
      if (++at - begin > 3) return -1;
    }
    if (at === begin || octet > 255 || (at - begin > 1 && text.charCodeAt(begin) === ZERO)) return -1;
    address = address * 256 + octet;
  }
  into.lo = address;
  into.hi = address;
  into.canonical = false;
  if (text.charCodeAt(at) !== SLASH) return at;
  const begin = ++at;
  let prefix = 0;
  for (let digit = text.charCodeAt(at) - ZERO; digit >= 0 && digit <= 9; digit = text.charCodeAt(at) - ZERO) {
    prefix = prefix * 10 + digit;
    if (++at - begin > 2) return -1;
  }
  if (at === begin || prefix < 1 || prefix > 32 || text.charCodeAt(begin) === ZERO) return -1;
  const below = prefix === 32 ? 0 : 0xffffffff >>> prefix;
  into.hi = (address | below) >>> 0;
  into.lo = (into.hi ^ below) >>> 0;
  into.canonical = into.lo === address;
  return at;
}

/** `port` or `a:b` with a <= b, but not all ports. */
function readPorts(text: string, from: number, into: ReadValue): number {
  const at = readPort(text, from);
  if (at < 0) return -1;
  into.lo = port;
  into.hi = port;
  into.canonical = true;
  if (text.charCodeAt(at) !== COLON) return at;
  const end = readPort(text, at + 1);
  if (end < 0 || port < into.lo || (into.lo === 0 && port === 0xffff)) return -1;
  into.hi = port;
  into.canonical = into.lo < port;
  return end;
}

/** What readPort read. */
let port = 0;

function readPort(text: string, from: number): number {
  let at = from;
  let value = 0;
  for (let digit = text.charCodeAt(at) - ZERO; digit >= 0 && digit <= 9; digit = text.charCodeAt(at) - ZERO) {
    value = value * 10 + digit;
    if (++at - from > 5) return -1;
  }
  port = value;
  return at === from || value > 0xffff || (at - from > 1 && text.charCodeAt(from) === ZERO) ? -1 : at;
}
