/** The rates of hashlimit: packets in a second, minute, hour or day, or bytes a second. */

import type { ValueType } from '../contract.ts';
import { bad, good, U32_MAX, wrongKind } from './numbers.ts';

/** XT_HASHLIMIT_SCALE_v2: the cost of a packet counts millionths of a second. */
export const HASHLIMIT_SCALE = 1_000_000n;

const UNITS = [
  ['second', 1n],
  ['minute', 60n],
  ['hour', 3600n],
  ['day', 86_400n],
] as const;

/** In the order in which iptables tries them: the first that leaves a whole picture wins. */
const PRINTED = [
  ['day', 86_400n],
  ['hour', 3600n],
  ['min', 60n],
  ['sec', 1n],
] as const;

export type HashRate =
  | { readonly kind: 'packets'; readonly count: bigint; readonly seconds: bigint }
  /** Bytes a second. */
  | { readonly kind: 'bytes'; readonly bytes: bigint };

/** `n[/second|minute|hour|day]`, or `n[k|m]b/s`. Kept as it is written; `readHashRate` takes it apart. */
export const hashRate: ValueType = {
  words: 1,
  parse([text = '']) {
    const rate = readHashRate(text);
    return typeof rate === 'string' ? bad(rate) : good({ kind: 'text', text });
  },
  print: (value) => [value.kind === 'text' ? value.text : wrongKind(value)],
};

/** The rate, or a sentence about what is wrong with it. */
export function readHashRate(text: string): HashRate | string {
  const bytes = /^(\d+)([km]?)b\/s/.exec(text);
  if (bytes !== null) {
    const count = BigInt(bytes[1] ?? 0) * factorOf(bytes[2]);
    if (count < 16n) return `the rate "${text}" is below 16 bytes a second, which the kernel takes for nothing`;
    return count >> 4n > U32_MAX || byteCost(count) === 0n
      ? `the rate "${text}" is too fast`
      : { kind: 'bytes', bytes: count };
  }
  // iptables takes everything with "b/s" in it for bytes, and passes over units that it does not know.
  if (text.includes('b/s')) return `"${text}" is not a rate such as 512kb/s`;
  const slash = text.indexOf('/');
  const unit = slash === -1 ? 'second' : text.slice(slash + 1).toLowerCase();
  const seconds = UNITS.find(([name]) => unit !== '' && name.startsWith(unit))?.[1];
  // atoi: what follows the digits (a fraction, say) is not looked at.
  const count = BigInt(/^\d+/.exec(text)?.[0] ?? 0);
  if (seconds === undefined || count === 0n) return `"${text}" is not a rate such as 5/second or 512kb/s`;
  return count / seconds > HASHLIMIT_SCALE || count > U32_MAX
    ? `the rate "${text}" is too fast`
    : { kind: 'packets', count, seconds };
}

/** What the kernel takes for 16 bytes: a share of 2^32 - 1. */
export function byteCost(bytes: bigint): bigint {
  return U32_MAX / ((bytes >> 4n) + 1n);
}

/** The bytes a second that a cost stands for. */
export function bytesOfCost(cost: bigint): bigint {
  return (U32_MAX / cost - 1n) << 4n;
}

/** A rate whose packets cost `average` millionths of a second each, and the seconds of its unit. */
export function formatPacketRate(average: bigint): { readonly text: string; readonly seconds: bigint } {
  let chosen: readonly [string, bigint] = PRINTED[3];
  for (let at = 1; at < PRINTED.length; at++) {
    const [, seconds] = PRINTED[at] ?? chosen;
    const scale = seconds * HASHLIMIT_SCALE;
    // print_rate stops at the first unit that would show no packet, or be less exact than the one before.
    if (average > scale || scale / average < scale % average) {
      chosen = PRINTED[at - 1] ?? chosen;
      break;
    }
  }
  const [name, seconds] = chosen;
  return { text: `${(seconds * HASHLIMIT_SCALE) / average}/${name}`, seconds };
}

/** Bytes in the largest unit that leaves `same` true of them; print_bytes of iptables rounds down in the same way. */
export function formatBytes(bytes: bigint, same: (rounded: bigint) => boolean): string {
  for (const [name, size] of BYTE_UNITS) {
    // iptables counts these in 32 bit.
    if (bytes >= size && bytes <= U32_MAX && same(bytes - (bytes % size))) return `${bytes / size}${name}`;
  }
  return `${bytes}b`;
}

const BYTE_UNITS = [
  ['mb', 1_048_576n],
  ['kb', 1024n],
] as const;

/** hashlimit's `--hashlimit-burst`: packets, or bytes with a unit: `5`, `1mb`. A bare number is at most a million. Printed from the text that
 * the match makes of it, because what a number means depends on the rate. */
export const hashBurst: ValueType = {
  words: 1,
  parse([text = '']) {
    const found = /^(0[xX][0-9a-fA-F]+|\d+)([km]?)(b?)$/.exec(text);
    const [, digits = '0', factor = '', unit = ''] = found ?? [];
    const value = BigInt(/^0\d/.test(digits) ? `0o${digits.replace(/[89].*/, '')}` : digits) * factorOf(factor);
    const most = factor === '' && unit === '' ? 1_000_000n : U32_MAX;
    return found === null || value < 1n || value > most
      ? bad(`"${text}" is not a number from 1 to ${most}, or bytes such as 512kb`)
      : good({ kind: 'integer', value });
  },
  print(value) {
    if (value.kind === 'text') return [value.text];
    return [value.kind === 'integer' ? String(value.value) : wrongKind(value)];
  },
};

function factorOf(letter: string | undefined): bigint {
  return letter === 'm' ? 1_048_576n : letter === 'k' ? 1024n : 1n;
}
