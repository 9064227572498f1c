import { type Counters, ZERO_COUNTERS } from '../../rules/model.ts';

const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** `[packets:bytes]`, undefined if it is not; both are unsigned 64 bit in decimal. */
export function parseBracketCounters(text: string): Counters | undefined {
  if (text === '[0:0]') return ZERO_COUNTERS;
  const found = /^\[(\d{1,20}):(\d{1,20})\]$/.exec(text);
  return found === null ? undefined : parseCounterPair(found[1]!, found[2]!);
}

/** The two numbers of `-c` or of a bracket. */
export function parseCounterPair(packets: string, bytes: string): Counters | undefined {
  if (!/^\d{1,20}$/.test(packets) || !/^\d{1,20}$/.test(bytes)) return undefined;
  const pair = { packets: BigInt(packets), bytes: BigInt(bytes) };
  if (pair.packets > U64_MAX || pair.bytes > U64_MAX) return undefined;
  return pair.packets === 0n && pair.bytes === 0n ? ZERO_COUNTERS : Object.freeze(pair);
}

/** As iptables-save writes them. */
export function formatCounters(counters: Counters): string {
  return counters === ZERO_COUNTERS ? '[0:0]' : `[${counters.packets}:${counters.bytes}]`;
}
