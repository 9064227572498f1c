/** A packet's list of effects (effects.ts) read as data. */

import { REJECT_WITH, type RejectWith } from '../../policy/ir.ts';
import type { CompiledHook } from '../compiled.ts';
import { BASE_BIT, FIRST_EFFECT, LIST, SPECIAL } from './effects.ts';

export interface EffectList {
  /** Indexes into `TablePolicy.effects`. */
  readonly effects: readonly number[];
  /** The list ends with DROP. */
  readonly drop: boolean;
  /** The list ends with this answer. */
  readonly reject?: RejectWith;
}

/** The value of the map. Throws a RangeError for what the hook's program must not put there. */
export function decodeList(value: Uint8Array, hook: CompiledHook): EffectList {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const count = view.getUint16(LIST.count, true);
  const numbers = Array.from(
    { length: count },
    (_, index) => view.getUint16(LIST.ids + 2 * index, true) & ((1 << BASE_BIT) - 1),
  );
  const last = numbers.at(-1) ?? 0;
  const ends = last < FIRST_EFFECT;
  const recorded = ends ? numbers.slice(0, -1) : numbers;
  const known = new Map(hook.effects.map(({ number, index }) => [number, index]));
  const effects = recorded.map((number) => {
    const index = known.get(number);
    if (index === undefined) throw new RangeError(`${hook.program.name} recorded effect ${number}`);
    return index;
  });
  if (view.getUint16(LIST.next, true) !== 0 || effects.length === 0 || count > hook.listLength) {
    throw new RangeError(`${hook.program.name} left a list that is not well formed`);
  }
  if (!ends) return { effects, drop: false };
  if (last === SPECIAL.drop) return { effects, drop: true };
  const reject = REJECT_WITH[hook.family][last - SPECIAL.reject - 1];
  if (reject === undefined) throw new RangeError(`${hook.program.name} ended a list with ${last}`);
  return { effects, drop: true, reject };
}
