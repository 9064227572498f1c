/** One copy of the rules: all chains of a hook with their calls and returns (see chain-plan.ts). */

import { at, ja, jne, ldx, mov, st, stx } from '../../bpf/assembly.ts';
import { R1, R4, R8, R10 } from '../../bpf/instruction.ts';
import { isBranch } from '../../bpf/prune.ts';
import type { PolicyRule } from '../../policy/ir.ts';
import { differentRules, ruleSequence } from '../../policy/policy-columns.ts';
import { changesMark } from '../../policy/staged.ts';
import { emitPacketChange } from '../device/change.ts';
import { emitChainRun } from './body-run.ts';
import {
  type Body,
  type BodyLimits,
  emitCut,
  emitReturn,
  handOnReturn,
  newCut,
  newResume,
  placeResume,
  placesOf,
  resumeFrom,
  storeReturn,
} from './body-state.ts';
import { emitLoopHead, emitLoopStart } from './chain-loop.ts';
import type { ChainPlan } from './chain-plan.ts';
import type { BodyContext } from './context.ts';
import { additionFor, count, counterOffset } from './counters.ts';
import { emitConsequences, emitEffect, emitMarkChange, storeEffect } from './effects.ts';
import { loadPacketMark } from './fields/marks.ts';
import { STACK } from './layout.ts';
import { emitLog, storeLogRecord } from './log.ts';
import { frameLeftovers, type LookupFrame } from './lookup/frame.ts';
import { rejectValue } from './pending.ts';
import { emitRule, leavesProgram } from './rule.ts';
import { emitSuspend, storeQuestion } from './staged.ts';
import { HIDDEN_BRANCHES } from './stateful.ts';
import type { Tails } from './tails.ts';

/**
 * The verifier remembers at most 8,192 branches for later. In loop mode the walk goes through the loop head after some: there
 * all paths look the same, and what waits is looked at. In exact mode nothing can be done about them.
 */
const MAX_WAITING_EXACT = 7000;
/** Branches inside the log block. */
const LOG_BRANCHES = 16;
/** The same inside the block of effects. */
const EFFECT_BRANCHES = 5;

/**
 * Emits a copy of the rules. False when the program would have too many instructions, or the plan's exact mode leaves more
 * branches waiting than the verifier keeps: the code is then not complete.
 */
export function emitBody(
  context: BodyContext,
  plan: ChainPlan,
  tails: Tails,
  limits: BodyLimits,
  frame?: LookupFrame,
): boolean {
  const ctx: BodyContext = { ...context, suspend: (question) => suspendHere(body, question) };
  const { out } = ctx;
  const chains = [...plan.chains.keys()];
  const numbers = new Set([...plan.chains.values()].flatMap(({ returns }) => returns.map(({ number }) => number)));
  const body: Body = {
    ctx,
    plan,
    tails,
    loopHead: out.label('loop'),
    logBlock: out.label('log'),
    effectBlock: out.label('effect'),
    suspendBlock: out.label('suspend'),
    chainLabels: new Map(chains.map((chain) => [chain, out.label('chain')])),
    endLabels: new Map(chains.map((chain) => [chain, out.label('end')])),
    resumeLabels: new Map([...numbers].map((number) => [number, out.label('resume')])),
    callSites: countCallSites(ctx, chains),
    emitted: new Set(),
    cuts: [],
    logs: [],
    effects: [],
    suspensions: [],
    waiting: 0,
    entries: new Map(),
    total: 0,
    limits,
    frame,
  };
  if (plan.mode === 'loop') {
    emitLoopStart(ctx, plan.slots, frame);
    // In through the head, so that the verifier knows its state before anything waits.
    if (ctx.staged === undefined) emitCut(body);
    else emitBegin(body);
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
  if (body.effects.length > 0) emitEffectBlock(body);
  if (body.suspensions.length > 0) emitSuspendBlock(body);
  if (plan.mode === 'loop') {
    emitLoopHead(ctx, tails, body.loopHead, placesOf(body), frame === undefined ? [] : frameLeftovers(frame));
  }
  return fits(body);
}

function fits(body: Body): boolean {
  if (body.ctx.out.code.length > body.limits.instructions) return false;
  return body.plan.mode === 'loop' || body.total <= MAX_WAITING_EXACT;
}

function countCallSites(ctx: BodyContext, chains: readonly number[]): ReadonlyMap<number, number> {
  const sites = new Map<number, number>();
  for (const chain of chains) {
    for (const { action } of differentRules(ctx.policy.chains[chain]!)) {
      if (action.kind === 'jump' || action.kind === 'goto') sites.set(action.chain, (sites.get(action.chain) ?? 0) + 1);
    }
  }
  return sites;
}

function emitChain(body: Body, chain: number): void {
  const { ctx } = body;
  const { out } = ctx;
  body.emitted.add(chain);
  out.emit(at(body.chainLabels.get(chain)!));
  const rules = ruleSequence(ctx.policy.chains[chain]!);
  const segments = body.frame === undefined ? undefined : ctx.runs.get(chain);
  for (const segment of segments ?? [{ kind: 'linear' as const, from: 0, to: rules.length }]) {
    if (segment.kind === 'run') {
      emitChainRun(body, chain, segment, body.frame!, {
        rule: (index, rule) => emitOneRule(body, chain, index, rule),
        enter: (callee) => enterChain(body, callee),
        effect: (rule, effect) => emitEffectRule(body, rule, effect),
      });
    } else
      for (let index = segment.from; index < segment.to; index++) emitChainRule(body, chain, index, rules.at(index)!);
  }
  out.emit(at(body.endLabels.get(chain)!));
  emitReturn(body, chain);
}

function emitChainRule(body: Body, chain: number, index: number, rule: PolicyRule): void {
  if (!fits(body)) return;
  if (body.plan.mode === 'loop' && body.waiting > body.limits.waiting) emitCut(body);
  emitOneRule(body, chain, index, rule);
  placeResume(body, chain, index);
}

/** Tests and action of a rule. */
function emitOneRule(body: Body, chain: number, index: number, rule: PolicyRule): void {
  const { ctx, plan } = body;
  const before = body.waiting;
  const start = ctx.out.code.length;
  let own = 0;
  const matches = emitRule(ctx, rule, body.tails.hotdrop, (doomed) => {
    if (doomed) {
      emitDoomedMatch(body, chain, rule);
      return;
    }
    own = branchesOf(body, rule, start);
    body.waiting = before + own;
    emitMatch(body, chain, index, rule);
  });
  if (!matches) own = branchesOf(body, rule, start);
  // What a match did may have gone through the loop head; packets that do not match have not.
  body.waiting = Math.max(body.waiting, before + own);
  body.total += own * plan.chains.get(chain)!.contexts;
}

/** Branches of the rule whose tests begin at `start` that stay waiting: all but, before a verdict, the last. */
function branchesOf(body: Body, rule: PolicyRule, start: number): number {
  const { code } = body.ctx.out;
  let branches = leavesProgram(rule) ? -1 : 0;
  for (let at = start; at < code.length; at++) if (isBranch(code[at]!)) branches++;
  for (const condition of rule.conditions) if (condition.kind === 'stateful') branches += HIDDEN_BRANCHES;
  if (rule.action.kind === 'log' && body.plan.mode === 'exact') branches += LOG_BRANCHES;
  if (rule.action.kind === 'effect' && body.plan.mode === 'exact') branches += EFFECT_BRANCHES;
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
    case 'effect':
      count(ctx, rule.counter, addition);
      emitEffectRule(body, rule, action.effect);
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

/** What a rule does that matches a packet which its own match has doomed: counts and acts, goes nowhere. What follows drops. */
function emitDoomedMatch(body: Body, chain: number, rule: PolicyRule): void {
  const { ctx, tails } = body;
  const { action } = rule;
  const goesOn = action.kind === 'log' || (action.kind === 'effect' && !ctx.policy.effects![action.effect]!.terminal);
  if (goesOn || action.kind === 'reject') emitMatch(body, chain, 0, rule);
  else ctx.out.emit(mov.imm(R1, counterOffset(ctx, rule.counter)), ja(tails.drop[additionFor(ctx, chain)]));
}

function enterChain(body: Body, chain: number): void {
  if (body.callSites.get(chain) === 1) {
    emitChain(body, chain);
    return;
  }
  body.entries.set(chain, Math.max(body.entries.get(chain) ?? 0, body.waiting));
  body.ctx.out.emit(ja(body.chainLabels.get(chain)!));
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

/** Records the effect; the rules behind a terminal one are not for this packet. */
function emitEffectRule(body: Body, rule: PolicyRule, effect: number): void {
  const { out } = body.ctx;
  if (body.ctx.device !== undefined) {
    emitPacketChange(body.ctx, body.ctx.policy.effects![effect]!, body.tails.hotdrop);
    return;
  }
  const back = newResume(body, 'recorded');
  body.effects.push(back);
  emitMarkChange(body.ctx, rule);
  storeEffect(body.ctx, effect);
  out.emit(
    body.plan.mode === 'exact'
      ? st.dw(R10, STACK.logReturn.exact, back.number)
      : st.w(R10, STACK.logReturn.cell, back.number),
    ja(body.effectBlock),
    at(back.label),
  );
  emitConsequences(body.ctx, body.ctx.policy.effects![effect]!, body.tails.pass);
}

function emitEffectBlock(body: Body): void {
  body.ctx.out.emit(at(body.effectBlock));
  emitEffect(body.ctx, body.tails.lost);
  resumeFrom(body, STACK.logReturn, body.effects);
}

/** The first rule, or the place where a suspended packet goes on: in through the head, as everything. */
function emitBegin(body: Body): void {
  const { out, staged } = body.ctx;
  const first = newCut(body, 'begin');
  const resumed = out.label('resumed');
  out.emit(
    ldx.w(R1, R10, staged!.cells.begin),
    jne.imm(R1, 0, resumed),
    mov.imm(R1, first.number),
    at(resumed),
    stx.w(R10, STACK.resume, R1),
    ja(body.loopHead),
    at(first.label),
  );
}

/** A question that the kernel answers: everything behind it runs in the next program. */
function suspendHere(body: Body, question: number): void {
  const { ctx } = body;
  const { out } = ctx;
  const back = newResume(body, 'answered');
  body.suspensions.push(back);
  storeQuestion(ctx, question);
  out.emit(st.w(R10, STACK.logReturn.cell, back.number), ja(body.suspendBlock), at(back.label));
  if (ctx.simulatesMarks && changesMark(ctx.policy.staged![question]!)) {
    loadPacketMark(ctx);
    out.emit(stx.w(R10, STACK.mark, R1));
  }
  out.emit(ldx.w(R4, R10, ctx.staged!.cells.answer));
}

function emitSuspendBlock(body: Body): void {
  const { ctx, plan, tails } = body;
  ctx.out.emit(at(body.suspendBlock));
  emitSuspend(ctx, plan.slots, ctx.staged!.answers, tails.pass, tails.hotdrop);
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
