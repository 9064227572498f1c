/** What the rules of a run do once they are the answer, numbered: rules that do the same share a number. */
import type { Action, PolicyRule } from '../policy/ir.ts';
import type { Run } from './extract.ts';
import type { RunAction } from './shape.ts';

export interface NumberedActions {
  readonly actions: readonly RunAction[];
  /** Number of each entry's action. */
  readonly ofEntry: Uint32Array;
}

/** The numbers of hotdrop, accept and drop are those of ACTIONS. */
export function runActions(rules: readonly PolicyRule[], run: Run): NumberedActions {
  const actions: RunAction[] = [
    { kind: 'hotdrop' },
    { kind: 'act', action: { kind: 'accept' } },
    { kind: 'act', action: { kind: 'drop' } },
  ];
  const known = new Map<string, number>(
    actions.flatMap((item, number) => (item.kind === 'act' ? [[keyOf(item.action)!, number]] : [])),
  );
  const ofEntry = new Uint32Array(run.to - run.from);
  let last = -1;
  for (let row = 0; row < run.rows.count; row++) {
    const entry = run.rows.entry[row]!;
    if (entry === last) continue;
    last = entry;
    const { action } = rules[run.from + entry]!;
    const conditions = run.residual.get(run.from + entry);
    const key = conditions === undefined ? keyOf(action) : undefined;
    let number = key === undefined ? undefined : known.get(key);
    if (number === undefined) {
      number = actions.length;
      actions.push(
        key === undefined ? { kind: 'entry', entry, row, conditions: conditions ?? [] } : { kind: 'act', action },
      );
      if (key !== undefined) known.set(key, number);
    }
    ofEntry[entry] = number;
  }
  return { actions, ofEntry };
}

/** Equal for actions that are equal; undefined for those that come back to a place of their own, and any other. */
function keyOf(action: Action): string | undefined {
  switch (action.kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
      return action.kind;
    case 'reject':
      return `reject ${action.with}`;
    case 'goto':
      return `goto ${action.chain}`;
    default:
      return undefined;
  }
}

/** Whether a look-up of this run may have to go on behind a row. */
export function goesOn(actions: readonly RunAction[]): boolean {
  return actions.some((item) => item.kind === 'entry' || (item.kind === 'act' && item.action.kind === 'continue'));
}
