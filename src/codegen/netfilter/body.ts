/** One copy of the rules: all chains of a hook with their calls and returns (see chain-plan.ts). */

import { at, ja, ldx, mov, st, stx } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R1, R8, R10 } from '../../bpf/instruction.ts';
import { isBranch } from '../../bpf/prune.ts';
import type { PolicyRule } from '../../policy/ir.ts';
import { dispatch, emitLoopHead, emitLoopStart, type Resume } from './chain-loop.ts';
import type { ChainPlan, ResumePoint } from './chain-plan.ts';
import type { BodyContext } from './context.ts';
import { additionFor, count, counterOffset } from './counters.ts';
import { STACK, slotOffset } from './layout.ts';
import { emitLog, storeLogRecord } from './log.ts';
import { rejectValue } from './pending.ts';
import { emitRule, leavesProgram } from './rule.ts';
import { HIDDEN_BRANCHES } from './stateful.ts';
import type { Tails } from './tails.ts';

/**
 * The verifier remembers at most 8,192 branches for later. In loop mode the walk goes through the loop head after some: there
 * all paths look the same, and what waits is looked at. In exact mode nothing can be done about them.
 */
const MAX_WAITING_EXACT = 7000;
/** Branches inside the log block. */
const LOG_BRANCHES = 16;

/** How long a program may get, and how many branches may wait in loop mode before the walk goes through the loop head. */
export interface BodyLimits {
  readonly instructions: number;
  readonly waiting: number;
}

interface Body {
  readonly ctx: BodyContext;
  readonly plan: ChainPlan;
  readonly tails: Tails;
  readonly loopHead: Label;
  readonly logBlock: Label;
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
  /** Branches that wait for the verifier at this point of the walk since it last went through the loop head. */
  waiting: number;
  /** The most of them with which a chain is entered. */
  readonly entries: Map<number, number>;
  /** All branches together, for exact mode. */
  total: number;
  readonly limits: BodyLimits;
}

/**
 * Emits a copy of the rules. False when the program would have too many instructions, or the plan's exact mode leaves more
 * branches waiting than the verifier keeps: the code is then not complete.
 */
export function emitBody(ctx: BodyContext, plan: ChainPlan, tails: Tails, limits: BodyLimits): boolean {
  const { out } = ctx;
  const chains = [...plan.chains.keys()];
  const numbers = new Set([...plan.chains.values()].flatMap(({ returns }) => returns.map(({ number }) => number)));
  const body: Body = {
    ctx,
    plan,
    tails,
    loopHead: out.label('loop'),
    logBlock: out.label('log'),
    chainLabels: new Map(chains.map((chain) => [chain, out.label('chain')])),
    endLabels: new Map(chains.map((chain) => [chain, out.label('end')])),
    resumeLabels: new Map([...numbers].map((number) => [number, out.label('resume')])),
    callSites: countCallSites(ctx, chains),
    emitted: new Set(),
    cuts: [],
    logs: [],
    waiting: 0,
    entries: new Map(),
    total: 0,
    limits,
  };
  if (plan.mode === 'loop') {
    emitLoopStart(ctx, plan.slots);
    // In through the head, so that the verifier knows its state before anything waits.
    emitCut(body);
  }
  emitChain(body, plan.base);
  emitPolicy(body);
  // A chain whose only caller cannot match in this copy of the rules is left over, too.
  for (const chain of chains) {
    if (body.emitted.has(chain)) continue;
    body.waiting = body.entries.get(chain) ?? 0;
    emitChain(body, chain);
  }
  if (body.logs.length > 0) emitLogBlock(body);
  if (plan.mode === 'loop') emitLoopHead(ctx, tails, body.loopHead, placesOf(body));
  return fits(body);
}

function fits(body: Body): boolean {
  if (body.ctx.out.code.length > body.limits.instructions) return false;
  return body.plan.mode === 'loop' || body.total <= MAX_WAITING_EXACT;
}

function countCallSites(ctx: BodyContext, chains: readonly number[]): ReadonlyMap<number, number> {
  const sites = new Map<number, number>();
  for (const chain of chains) {
    for (const { action } of ctx.policy.chains[chain]!.rules) {
      if (action.kind === 'jump' || action.kind === 'goto') sites.set(action.chain, (sites.get(action.chain) ?? 0) + 1);
    }
  }
  return sites;
}

function emitChain(body: Body, chain: number): void {
  const { ctx, plan } = body;
  const { out } = ctx;
  body.emitted.add(chain);
  out.emit(at(body.chainLabels.get(chain)!));
  ctx.policy.chains[chain]!.rules.forEach((rule, index) => {
    if (!fits(body)) return;
    if (body.plan.mode === 'loop' && body.waiting > body.limits.waiting) emitCut(body);
    const before = body.waiting;
    const start = out.code.length;
    let own = 0;
    const matches = emitRule(ctx, rule, body.tails.hotdrop, () => {
      own = branchesOf(body, rule, start);
      body.waiting = before + own;
      emitMatch(body, chain, index, rule);
    });
    if (!matches) own = branchesOf(body, rule, start);
    // What a match did may have gone through the loop head; packets that do not match have not.
    body.waiting = Math.max(body.waiting, before + own);
    body.total += own * plan.chains.get(chain)!.contexts;
    const point = plan.after(chain, index);
    const label = point === undefined ? undefined : body.resumeLabels.get(point.number);
    if (label !== undefined) out.emit(at(label));
  });
  out.emit(at(body.endLabels.get(chain)!));
  emitReturn(body, chain);
}

/** Branches of the rule whose tests begin at `start` that stay waiting: all but, before a verdict, the last. */
function branchesOf(body: Body, rule: PolicyRule, start: number): number {
  const { code } = body.ctx.out;
  let branches = leavesProgram(rule) ? -1 : 0;
  for (let at = start; at < code.length; at++) if (isBranch(code[at]!)) branches++;
  for (const condition of rule.conditions) if (condition.kind === 'stateful') branches += HIDDEN_BRANCHES;
  if (rule.action.kind === 'log' && body.plan.mode === 'exact') branches += LOG_BRANCHES;
  return Math.max(0, branches);
}

/** What a matching rule does. */
function emitMatch(body: Body, chain: number, index: number, rule: PolicyRule): void {
  const { ctx, tails } = body;
  const { out } = ctx;
  const { action } = rule;
  const addition = additionFor(ctx, chain);
  switch (action.kind) {
    case 'accept':
    case 'drop':
      out.emit(mov.imm(R1, counterOffset(ctx, rule.counter)), ja(tails[action.kind][addition]));
      return;
    case 'reject':
      out.emit(
        mov.imm(R1, counterOffset(ctx, rule.counter)),
        mov.imm(R8, rejectValue(ctx.family, action.with)),
        ja(tails.reject[addition]),
      );
      return;
    case 'continue':
      count(ctx, rule.counter, addition);
      return;
    case 'log':
      count(ctx, rule.counter, addition);
      emitLogRule(body, rule);
      return;
    case 'return':
      count(ctx, rule.counter, addition);
      out.emit(ja(body.endLabels.get(chain)!));
      return;
    case 'jump':
      count(ctx, rule.counter, addition);
      storeReturn(body, action.chain, body.plan.after(chain, index)!);
      enterChain(body, action.chain);
      return;
    case 'goto':
      count(ctx, rule.counter, addition);
      handOnReturn(body, chain, action.chain);
      enterChain(body, action.chain);
      return;
  }
}

function enterChain(body: Body, chain: number): void {
  if (body.callSites.get(chain) === 1) {
    emitChain(body, chain);
    return;
  }
  body.entries.set(chain, Math.max(body.entries.get(chain) ?? 0, body.waiting));
  body.ctx.out.emit(ja(body.chainLabels.get(chain)!));
}

/** Tells a chain where to return to, if it needs telling. */
function storeReturn(body: Body, callee: number, point: ResumePoint): void {
  const slot = body.plan.chains.get(callee)!.slot;
  if (slot === undefined) return;
  const { exact, cell } = slotOffset(slot);
  if (body.plan.mode === 'exact') body.ctx.out.emit(st.dw(R10, exact, point.number));
  else body.ctx.out.emit(st.w(R10, cell, point.number));
}

/** `-g`: the chain returns to where this one would have. */
function handOnReturn(body: Body, chain: number, callee: number): void {
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

function emitReturn(body: Body, chain: number): void {
  const { slot, returns } = body.plan.chains.get(chain)!;
  const { out } = body.ctx;
  const places = returns.map(({ number }) => ({ number, label: body.resumeLabels.get(number)! }));
  if (slot === undefined) out.emit(ja(places[0]!.label));
  else resumeFrom(body, slotOffset(slot), places);
}

/** Goes to the resume point whose number is in a slot, one of `places`. */
function resumeFrom(body: Body, slot: { exact: number; cell: number }, places: readonly Resume[]): void {
  const { out } = body.ctx;
  if (body.plan.mode === 'exact') {
    out.emit(ldx.dw(R1, R10, slot.exact));
    dispatch(body.ctx, places);
  } else out.emit(ldx.w(R1, R10, slot.cell), stx.w(R10, STACK.resume, R1), ja(body.loopHead));
}

/** A resume point that the plan does not know. */
function newResume(body: Body, hint: string): Resume {
  const number = body.plan.lastNumber + body.cuts.length + body.logs.length + 1;
  return { number, label: body.ctx.out.label(hint) };
}

/** The block that logs, entered with the number of the way back. */
function emitLogRule(body: Body, rule: PolicyRule): void {
  const { out } = body.ctx;
  const back = newResume(body, 'logged');
  body.logs.push(back);
  storeLogRecord(body.ctx, rule.counter);
  out.emit(
    body.plan.mode === 'exact'
      ? st.dw(R10, STACK.logReturn.exact, back.number)
      : st.w(R10, STACK.logReturn.cell, back.number),
    ja(body.logBlock),
    at(back.label),
  );
}

function emitLogBlock(body: Body): void {
  body.ctx.out.emit(at(body.logBlock));
  emitLog(body.ctx);
  resumeFrom(body, STACK.logReturn, body.logs);
}

/** The underflow of the built-in chain: its policy counts and decides. */
function emitPolicy(body: Body): void {
  const { ctx, plan, tails } = body;
  const base = ctx.policy.chains[plan.base]!.base!;
  const label = body.resumeLabels.get(plan.chains.get(plan.base)!.returns[0]!.number)!;
  ctx.out.emit(
    at(label),
    mov.imm(R1, counterOffset(ctx, base.counter)),
    ja(tails[base.policy][additionFor(ctx, plan.base)]),
  );
}

function emitCut(body: Body): void {
  const cut = newResume(body, 'cut');
  body.cuts.push(cut);
  body.waiting = 0;
  body.ctx.out.emit(st.w(R10, STACK.resume, cut.number), ja(body.loopHead), at(cut.label));
}

/** Every place that the loop head can lead to. */
function placesOf(body: Body): readonly Resume[] {
  const returns = [...body.plan.chains.values()]
    .filter(({ slot }) => slot !== undefined)
    .flatMap((chain) => chain.returns.map(({ number }) => ({ number, label: body.resumeLabels.get(number)! })));
  const places = new Map([...returns, ...body.cuts, ...body.logs].map((place) => [place.number, place]));
  return [...places.values()].sort((a, b) => a.number - b.number);
}
