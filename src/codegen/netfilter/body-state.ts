/** What emitting a copy of the rules keeps track of, and the ways between its chains (see chain-plan.ts). */

import { at, ja, ldx, st, stx } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R1, R10 } from '../../bpf/instruction.ts';
import { dispatch, type Resume } from './chain-loop.ts';
import type { ChainPlan, ResumePoint } from './chain-plan.ts';
import type { BodyContext } from './context.ts';
import { STACK, slotOffset } from './layout.ts';
import type { LookupFrame } from './lookup/frame.ts';
import type { Tails } from './tails.ts';

/** How long a program may get, and how many branches may wait in loop mode before the walk goes through the loop head. */
export interface BodyLimits {
  readonly instructions: number;
  readonly waiting: number;
}

export interface Body {
  readonly ctx: BodyContext;
  readonly plan: ChainPlan;
  readonly tails: Tails;
  readonly loopHead: Label;
  readonly logBlock: Label;
  readonly effectBlock: Label;
  readonly suspendBlock: Label;
  readonly chainLabels: ReadonlyMap<number, Label>;
  readonly endLabels: ReadonlyMap<number, Label>;
  /** Labels of the plan's resume points, by number. */
  readonly resumeLabels: ReadonlyMap<number, Label>;
  /** Chains with one call site are emitted there; the others at the end. */
  readonly callSites: ReadonlyMap<number, number>;
  readonly emitted: Set<number>;
  /** Resume points that turned up on the way: cuts and LOG rules. */
  readonly cuts: Resume[];
  readonly logs: Resume[];
  readonly effects: Resume[];
  /** Places behind questions that packets are suspended for. */
  readonly suspensions: Resume[];
  /** Branches that wait for the verifier at this point of the walk since it last went through the loop head. */
  waiting: number;
  /** The most of them with which a chain is entered. */
  readonly entries: Map<number, number>;
  /** All branches together, for exact mode. */
  total: number;
  readonly limits: BodyLimits;
  /** Stack of look-ups; absent when no chain has any. */
  readonly frame: LookupFrame | undefined;
}

/** The place where a chain that the rule has called comes back to. */
export function placeResume(body: Body, chain: number, index: number): void {
  const point = body.plan.after(chain, index);
  const label = point === undefined ? undefined : body.resumeLabels.get(point.number);
  if (label !== undefined) body.ctx.out.emit(at(label));
}

/** Tells a chain where to return to, if it needs telling. */
export function storeReturn(body: Body, callee: number, point: ResumePoint): void {
  const slot = body.plan.chains.get(callee)!.slot;
  if (slot === undefined) return;
  const { exact, cell } = slotOffset(slot);
  if (body.plan.mode === 'exact') body.ctx.out.emit(st.dw(R10, exact, point.number));
  else body.ctx.out.emit(st.w(R10, cell, point.number));
}

/** `-g`: the chain returns to where this one would have. */
export function handOnReturn(body: Body, chain: number, callee: number): void {
  const own = body.plan.chains.get(chain)!;
  const slot = body.plan.chains.get(callee)!.slot;
  if (slot === undefined) return;
  if (own.slot === undefined) {
    storeReturn(body, callee, own.returns[0]!);
    return;
  }
  const [from, to] = [slotOffset(own.slot), slotOffset(slot)];
  if (body.plan.mode === 'exact') body.ctx.out.emit(ldx.dw(R1, R10, from.exact), stx.dw(R10, to.exact, R1));
  else body.ctx.out.emit(ldx.w(R1, R10, from.cell), stx.w(R10, to.cell, R1));
}

export function emitReturn(body: Body, chain: number): void {
  const { slot, returns } = body.plan.chains.get(chain)!;
  const { out } = body.ctx;
  const places = returns.map(({ number }) => ({ number, label: body.resumeLabels.get(number)! }));
  if (slot === undefined) out.emit(ja(places[0]!.label));
  else resumeFrom(body, slotOffset(slot), places);
}

/** Goes to the resume point whose number is in a slot, one of `places`. */
export function resumeFrom(body: Body, slot: { exact: number; cell: number }, places: readonly Resume[]): void {
  const { out } = body.ctx;
  if (body.plan.mode === 'exact') {
    out.emit(ldx.dw(R1, R10, slot.exact));
    dispatch(body.ctx, places);
  } else out.emit(ldx.w(R1, R10, slot.cell), stx.w(R10, STACK.resume, R1), ja(body.loopHead));
}

/** A resume point that the plan does not know. */
export function newResume(body: Body, hint: string): Resume {
  const { cuts, logs, effects, suspensions } = body;
  const number = body.plan.lastNumber + cuts.length + logs.length + effects.length + suspensions.length + 1;
  return { number, label: body.ctx.out.label(hint) };
}

/** Lets the walk go through the loop head here. */
export function emitCut(body: Body): void {
  const cut = newCut(body, 'cut');
  body.waiting = 0;
  goThroughHead(body, cut);
  body.ctx.out.emit(at(cut.label));
}

/** A place that is reached through the loop head. */
export function newCut(body: Body, hint: string): Resume {
  const cut = newResume(body, hint);
  body.cuts.push(cut);
  return cut;
}

export function goThroughHead(body: Body, { number }: Resume): void {
  body.ctx.out.emit(st.w(R10, STACK.resume, number), ja(body.loopHead));
}

/** Every place that the loop head can lead to. */
export function placesOf(body: Body): readonly Resume[] {
  const returns = [...body.plan.chains.values()]
    .filter(({ slot }) => slot !== undefined)
    .flatMap((chain) => chain.returns.map(({ number }) => ({ number, label: body.resumeLabels.get(number)! })));
  const places = new Map(
    [...returns, ...body.cuts, ...body.logs, ...body.effects, ...body.suspensions].map((place) => [
      place.number,
      place,
    ]),
  );
  return [...places.values()].sort((a, b) => a.number - b.number);
}
