/** One copy of the rules: all chains of a hook with their calls and returns (see chain-plan.ts). */

import { add, at, call, ja, jeq, jge, ldx, mov, st, stx } from '../../bpf/assembly.ts';
import type { Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R8, R10 } from '../../bpf/instruction.ts';
import type { PolicyRule } from '../../policy/ir.ts';
import type { ChainPlan, ResumePoint } from './chain-plan.ts';
import type { BodyContext } from './context.ts';
import { count, counterOffset } from './counters.ts';
import { STACK, slotOffset } from './layout.ts';
import { emitLogCall } from './log.ts';
import { rejectValue } from './pending.ts';
import { emitRule } from './rule.ts';
import type { Tails } from './tails.ts';

/** More returns than any packet can make. */
const MAX_RETURNS = 1 << 20;
/** Resume points that are tried one after the other; more are searched by halves. */
const DISPATCH_LINEAR = 3;

interface Body {
  readonly ctx: BodyContext;
  readonly plan: ChainPlan;
  readonly tails: Tails;
  readonly loopHead: Label;
  readonly chainLabels: ReadonlyMap<number, Label>;
  readonly endLabels: ReadonlyMap<number, Label>;
  readonly resumeLabels: ReadonlyMap<number, Label>;
  /** Chains with one call site are emitted there; the others at the end. */
  readonly callSites: ReadonlyMap<number, number>;
  readonly emitted: Set<number>;
}

export function emitBody(ctx: BodyContext, plan: ChainPlan, tails: Tails): void {
  const { out } = ctx;
  const chains = [...plan.chains.keys()];
  const points = new Map<number, ResumePoint>();
  for (const { returns } of plan.chains.values()) for (const point of returns) points.set(point.number, point);
  for (const point of plan.resumes) points.set(point.number, point);
  const body: Body = {
    ctx,
    plan,
    tails,
    loopHead: out.label('loop'),
    chainLabels: new Map(chains.map((chain) => [chain, out.label('chain')])),
    endLabels: new Map(chains.map((chain) => [chain, out.label('end')])),
    resumeLabels: new Map([...points.keys()].map((number) => [number, out.label('resume')])),
    callSites: countCallSites(ctx, chains),
    emitted: new Set(),
  };
  if (plan.mode === 'loop') emitLoopStart(body);
  emitChain(body, plan.base);
  emitPolicy(body);
  // A chain whose only caller cannot match in this copy of the rules is left over, too.
  for (const chain of chains) if (!body.emitted.has(chain)) emitChain(body, chain);
  if (plan.mode === 'loop') emitLoopHead(body);
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
    const cut = plan.before(chain, index);
    if (cut !== undefined) emitCut(body, cut);
    emitRule(ctx, rule, body.tails.hotdrop, () => emitMatch(body, chain, index, rule));
    const point = plan.after(chain, index);
    const label = point === undefined ? undefined : body.resumeLabels.get(point.number);
    if (label !== undefined) out.emit(at(label));
  });
  out.emit(at(body.endLabels.get(chain)!));
  emitReturn(body, chain);
}

/** What a matching rule does. */
function emitMatch(body: Body, chain: number, index: number, rule: PolicyRule): void {
  const { ctx, tails } = body;
  const { out } = ctx;
  const { action } = rule;
  switch (action.kind) {
    case 'accept':
    case 'drop':
      out.emit(mov.imm(R1, counterOffset(ctx, rule.counter)), ja(tails[action.kind]));
      return;
    case 'reject':
      out.emit(
        mov.imm(R1, counterOffset(ctx, rule.counter)),
        mov.imm(R8, rejectValue(ctx.family, action.with)),
        ja(tails.reject),
      );
      return;
    case 'continue':
      count(ctx, rule.counter);
      return;
    case 'log':
      count(ctx, rule.counter);
      emitLogCall(ctx, rule.counter);
      return;
    case 'return':
      count(ctx, rule.counter);
      out.emit(ja(body.endLabels.get(chain)!));
      return;
    case 'jump':
      count(ctx, rule.counter);
      storeReturn(body, action.chain, body.plan.after(chain, index)!);
      enterChain(body, action.chain);
      return;
    case 'goto':
      count(ctx, rule.counter);
      handOnReturn(body, chain, action.chain);
      enterChain(body, action.chain);
      return;
  }
}

function enterChain(body: Body, chain: number): void {
  if (body.callSites.get(chain) === 1) emitChain(body, chain);
  else body.ctx.out.emit(ja(body.chainLabels.get(chain)!));
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
  if (slot === undefined) {
    out.emit(ja(body.resumeLabels.get(returns[0]!.number)!));
    return;
  }
  const { exact, cell } = slotOffset(slot);
  if (body.plan.mode === 'exact') {
    out.emit(ldx.dw(R1, R10, exact));
    dispatch(body, returns);
  } else out.emit(ldx.w(R1, R10, cell), stx.w(R10, STACK.resume, R1), ja(body.loopHead));
}

/** Goes to the resume point whose number is in r1; points are sorted by number. */
function dispatch(body: Body, points: readonly ResumePoint[]): void {
  const { out } = body.ctx;
  if (points.length > DISPATCH_LINEAR) {
    const middle = points.length >> 1;
    const upper = out.label('upper');
    out.emit(jge.imm32(R1, points[middle]!.number, upper));
    dispatch(body, points.slice(0, middle));
    out.emit(at(upper));
    dispatch(body, points.slice(middle));
    return;
  }
  points.forEach(({ number }, index) => {
    const label = body.resumeLabels.get(number)!;
    out.emit(index === points.length - 1 ? ja(label) : jeq.imm32(R1, number, label));
  });
}

/** The underflow of the built-in chain: its policy counts and decides. */
function emitPolicy(body: Body): void {
  const { ctx, plan, tails } = body;
  const base = ctx.policy.chains[plan.base]!.base!;
  const label = body.resumeLabels.get(plan.chains.get(plan.base)!.returns[0]!.number)!;
  ctx.out.emit(at(label), mov.imm(R1, counterOffset(ctx, base.counter)), ja(tails[base.policy]));
}

function emitCut(body: Body, point: ResumePoint): void {
  body.ctx.out.emit(st.w(R10, STACK.resume, point.number), ja(body.loopHead), at(body.resumeLabels.get(point.number)!));
}

function iteratorInR1(): [ReturnType<typeof mov.reg>, ReturnType<typeof add.imm>] {
  return [mov.reg(R1, R10), add.imm(R1, STACK.iterator)];
}

function emitLoopStart(body: Body): void {
  body.ctx.out.emit(...iteratorInR1(), mov.imm(R2, 0), mov.imm(R3, MAX_RETURNS), call.kfunc('bpf_iter_num_new'));
}

function emitLoopHead(body: Body): void {
  const { out } = body.ctx;
  out.emit(
    at(body.loopHead),
    ...iteratorInR1(),
    call.kfunc('bpf_iter_num_next'),
    jeq.imm(R0, 0, body.tails.hotdrop),
    ldx.w(R1, R10, STACK.resume),
  );
  dispatch(body, body.plan.resumes);
}
