/** Rules of a chain that are decided by a look-up (lookup/), among the others. */

import { at, ja, mov, st } from '../../bpf/assembly.ts';
import { R1, R5, R8, R10 } from '../../bpf/instruction.ts';
import { isBranch } from '../../bpf/prune.ts';
import type { Action, PolicyRule } from '../../policy/ir.ts';
import { ruleLike, ruleSequence } from '../../policy/policy-columns.ts';
import { type Body, goThroughHead, handOnReturn, newCut, placeResume } from './body-state.ts';
import { type Addition, additionFor } from './counters.ts';
import type { LookupFrame } from './lookup/frame.ts';
import type { RunSegment } from './lookup/plan.ts';
import { countRow, emitRun, goOnBehind } from './lookup/run.ts';
import { rejectValue } from './pending.ts';
import { emitSharedRule } from './shared-rule.ts';

/** Branches of a look-up that wait at a time, about: what lies behind it is the same for all of them. */
const WALK_BRANCHES = 200;

/** What a run needs of the chain around it. */
export interface ChainHost {
  /** Emits a rule of the chain as it stands. */
  rule(index: number, rule: PolicyRule): void;
  /** Goes to the beginning of a chain. */
  enter(chain: number): void;
  /** Records the effect of a rule; falls through where the packet goes on. */
  effect(rule: PolicyRule, effect: number): void;
}

/** The rules of a run: one look-up, and again behind each row that lets the packet go on. */
export function emitChainRun(body: Body, chain: number, run: RunSegment, frame: LookupFrame, host: ChainHost): void {
  const { ctx } = body;
  const { out } = ctx;
  const rules = ruleSequence(ctx.policy.chains[chain]!);
  const addition = additionFor(ctx, chain);
  const start = out.code.length;
  const before = body.waiting;
  const again = run.goesOn ? newCut(body, 'look') : undefined;
  if (again !== undefined) out.emit(st.w(R10, frame.from, 1), at(again.label));
  const lookOn = (row?: number): void => {
    goOnBehind(ctx, run, frame, row);
    goThroughHead(body, again!);
  };
  emitRun(ctx, run, frame, {
    tails: body.tails,
    addition,
    loop: body.plan.mode === 'loop',
    act(item) {
      body.waiting = before + WALK_BRANCHES;
      if (item.kind === 'entry') {
        const index = run.from + item.entry;
        host.rule(index, { ...rules.at(index)!, conditions: item.conditions });
        placeResume(body, chain, index);
        lookOn(item.row);
        return;
      }
      if (item.kind === 'shared') {
        emitSharedRule(body, { chain, run, frame, addition, again: again! }, item, host);
        return;
      }
      if (item.kind === 'act') emitRowAction(body, chain, item.action, addition, lookOn, host);
    },
  });
  // A rule that can match nothing has no row, but the plan has a place to come back to behind it.
  const emitted = new Set(run.table.shape.actions.map((item) => (item.kind === 'entry' ? run.from + item.entry : -1)));
  for (let index = run.from; index < run.to; index++) {
    if (ruleLike(rules, index).action.kind === 'jump' && !emitted.has(index)) placeResume(body, chain, index);
  }
  let branches = 0;
  for (let at = start; at < out.code.length; at++) if (isBranch(out.code[at]!)) branches++;
  body.waiting = before + Math.min(branches, WALK_BRANCHES);
  body.total += branches * body.plan.chains.get(chain)!.contexts;
}

/** Actions that rows share; the byte offset of the counter is in r5. */
export function emitRowAction(
  body: Body,
  chain: number,
  action: Action,
  addition: Addition,
  lookOn: () => void,
  host: ChainHost,
): void {
  const { ctx, tails } = body;
  const { out } = ctx;
  switch (action.kind) {
    case 'accept':
    case 'drop':
      out.emit(mov.reg(R1, R5), ja(tails[action.kind][addition]));
      return;
    case 'reject':
      out.emit(mov.reg(R1, R5), mov.imm(R8, rejectValue(ctx.family, action.with)), ja(tails.reject[addition]));
      return;
    case 'return':
      countRow(ctx, addition);
      out.emit(ja(body.endLabels.get(chain)!));
      return;
    case 'goto':
      countRow(ctx, addition);
      handOnReturn(body, chain, action.chain);
      host.enter(action.chain);
      return;
    case 'continue':
      countRow(ctx, addition);
      lookOn();
      return;
    default:
      throw new Error(`${action.kind} is not shared by rows`);
  }
}
