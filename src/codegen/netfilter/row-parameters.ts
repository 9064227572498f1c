/** What rows of look-ups say of rules that share their code (classify/shared-code.ts). */
import { firstOwnState, type SharedCode } from '../../classify/shared-code.ts';
import type { TablePolicy } from '../../policy/ir.ts';
import { STATE_LOG } from './stateful.ts';

/**
 * The parameters of a policy's rules. A rule that has states of its own and logs finds its record's place in its first state: that is noted
 * in `initial`, the contents of the state map.
 */
export function sharedCode(
  policy: TablePolicy,
  stateOffsets: readonly number[],
  logOffsets: ReadonlyMap<number, number>,
  initial: Uint8Array,
): SharedCode {
  const view = new DataView(initial.buffer, initial.byteOffset, initial.length);
  return {
    states: policy.states,
    parameterOf({ action, conditions, counter }) {
      const first = conditions.length === 0 ? undefined : firstOwnState(conditions);
      const record = action.kind === 'log' ? logOffsets.get(counter)! : 0;
      if (first === undefined) return record;
      const place = stateOffsets[first]!;
      view.setUint32(place + STATE_LOG, record, true);
      return place;
    },
  };
}
