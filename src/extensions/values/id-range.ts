import type { ValueContext, ValueType } from '../contract.ts';
import { bad, good, scanUnsigned, U32_MAX, wrongKind } from './numbers.ts';

/** Highest uid or gid that the owner match takes: the all-ones one means "none". */
const ID_MAX = U32_MAX - 1n;

/** A user or group of the owner match: a name, a number, or `a-b`. Names go first, as getpwnam does. */
export function idRange(kind: 'user' | 'group'): ValueType {
  return {
    words: 1,
    parse([text = ''], ctx) {
      const named = lookUp(kind, text, ctx);
      if (named !== undefined) return good({ kind: 'range', min: BigInt(named), max: BigInt(named) });
      const dash = text.indexOf('-');
      const min = parseId(dash === -1 ? text : text.slice(0, dash));
      const max = dash === -1 ? min : parseId(text.slice(dash + 1));
      if (min === undefined || max === undefined) return bad(`"${text}" is not a ${kind} name, number or range`);
      // An inverted range is legal for iptables and matches nothing.
      return good({ kind: 'range', min, max });
    },
    print(value) {
      if (value.kind !== 'range') return wrongKind(value);
      return [value.min === value.max ? String(value.min) : `${value.min}-${value.max}`];
    },
  };
}

function lookUp(kind: 'user' | 'group', name: string, ctx: ValueContext): number | undefined {
  return ctx.accounts?.[kind](name) ?? (name === 'root' ? 0 : undefined);
}

function parseId(text: string): bigint | undefined {
  const scanned = scanUnsigned(text);
  return scanned !== undefined && scanned.length === text.length && scanned.value <= ID_MAX ? scanned.value : undefined;
}
