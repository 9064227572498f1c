/** What the rules of a run do once they are the answer, numbered: rules that do the same share a number. */
import type { Action } from '../policy/ir.ts';
import { type RuleSequence, ruleLike } from '../policy/policy-columns.ts';
import type { Run } from './extract.ts';
import type { RunAction } from './shape.ts';
import { type SharedCode, sharedKey } from './shared-code.ts';

export interface NumberedActions {
  readonly actions: readonly RunAction[];
  /** Number of each entry's action. */
  readonly ofEntry: Uint32Array;
}

/** The numbers of hotdrop, accept and drop are those of ACTIONS. */
export function runActions(rules: RuleSequence, run: Run, shared?: SharedCode): NumberedActions {
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
    const rule = ruleLike(rules, run.from + entry);
    const { action } = rule;
    const conditions = run.residual.get(run.from + entry);
    const same = conditions === undefined ? keyOf(action) : undefined;
    const alike =
      same !== undefined || shared === undefined ? undefined : sharedKey(rule, conditions ?? [], shared.states);
    const key = same ?? (alike === undefined ? undefined : `shared ${alike}`);
    let number = key === undefined ? undefined : known.get(key);
    if (number === undefined) {
      number = actions.length;
      if (same !== undefined) actions.push({ kind: 'act', action });
      else if (alike !== undefined) actions.push({ kind: 'shared', rule, conditions: conditions ?? [] });
      else actions.push({ kind: 'entry', entry, row, conditions: conditions ?? [] });
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
  return actions.some(
    (item) =>
      item.kind === 'entry' || item.kind === 'shared' || (item.kind === 'act' && item.action.kind === 'continue'),
  );
}
