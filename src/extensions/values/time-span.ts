import type { ValueType } from '../contract.ts';
import { bad, good, U32_MAX, wrongKind } from './numbers.ts';

const UNITS: Readonly<Record<string, number>> = {
  s: 1e6,
  sec: 1e6,
  secs: 1e6,
  ms: 1e3,
  msec: 1e3,
  msecs: 1e3,
  us: 1,
  usec: 1,
  usecs: 1,
  '': 1,
};

/** A span of time as tc writes them: `250ms`, `0.5s`, a bare number being microseconds. Kept in microseconds, 32 bit. */
export const timeSpan: ValueType = {
  words: 1,
  parse([text = '']) {
    const found = /^(\d+\.?\d*|\.\d+)([a-z]*)$/i.exec(text);
    const unit = (found?.[2] ?? '').toLowerCase();
    if (found === null || !Object.hasOwn(UNITS, unit)) return bad(`"${text}" is not a span of time such as 250ms`);
    const microseconds = Math.floor(Number(found[1]) * (UNITS[unit] ?? 1));
    return microseconds > Number(U32_MAX)
      ? bad(`the span "${text}" is too long`)
      : good({ kind: 'integer', value: BigInt(microseconds) });
  },
  print(value) {
    if (value.kind !== 'integer') return wrongKind(value);
    const microseconds = Number(value.value);
    if (microseconds >= 1e6) return [`${(microseconds / 1e6).toFixed(1)}s`];
    return [microseconds >= 1e3 ? `${(microseconds / 1e3).toFixed(1)}ms` : `${microseconds}us`];
  },
};
