import type { ValueType } from '../contract.ts';
import { bad, good, U32_MAX, wrongKind } from './numbers.ts';

/** Bits per second; what ends in "bps" counts bytes. */
const UNITS: Readonly<Record<string, number>> = { bit: 1, bps: 8 };
for (const [at, letter] of ['k', 'm', 'g', 't'].entries()) {
  for (const [end, factor] of [
    ['bit', 1],
    ['bps', 8],
  ] as const) {
    Object.assign(UNITS, {
      [`${letter}${end}`]: factor * 1000 ** (at + 1),
      [`${letter}i${end}`]: factor * 1024 ** (at + 1),
    });
  }
}

/**
 * A rate as tc writes them: `5mbit`, `1.5kbps`, a bare number being bits per second. Kept in whole bytes per second, 32 bit. May be left
 * out: then it is 0, and means that the rates of two estimators are compared; a flag is printed as no rate at all.
 */
export const bitRate: ValueType = {
  words: 0,
  optionalWord: true,
  parse([text]) {
    if (text === undefined) return good({ kind: 'integer', value: 0n });
    const found = /^(\d+\.?\d*|\.\d+)([a-z]*)$/i.exec(text);
    const unit = (found?.[2] ?? '').toLowerCase();
    const factor = unit === '' ? 1 : Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
    if (found === null || factor === undefined) return bad(`"${text}" is not a rate such as 5mbit`);
    const bytes = Math.floor((Number(found[1]) * factor) / 8);
    return bytes > Number(U32_MAX)
      ? bad(`the rate "${text}" is too high`)
      : good({ kind: 'integer', value: BigInt(bytes) });
  },
  print(value) {
    if (value.kind === 'flag') return [];
    if (value.kind !== 'integer') return wrongKind(value);
    const bits = value.value * 8n;
    if (bits >= 1_000_000_000n && bits % 1_000_000n === 0n) return [`${bits / 1_000_000n}Mbit`];
    if (bits >= 1_000_000n && bits % 1000n === 0n) return [`${bits / 1000n}Kbit`];
    return [`${bits}bit`];
  },
};
