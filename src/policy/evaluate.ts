/**
 * The reference evaluator: what the kernel's ip_tables and ip6_tables do with one packet, written to be read.
 *
 * Everything else that runs a policy (generated code in the virtual machine, in the kernel) is compared with it, and it is
 * compared with the kernel's own tables.
 */

import type { Hook } from '../packet/netfilter.ts';
import { changeMarks } from './effect.ts';
import type { Condition, Expr, PolicyRule, RejectWith, TablePolicy, Test } from './ir.ts';
import { type PolicyMemory, runStateful } from './memory.ts';
import { type PacketView, readField } from './packet-view.ts';
import { readPayload } from './payload.ts';
import { runScan } from './run-scan.ts';
import { hasTcpOption, tcpOptionsReadable } from './tcp-options.ts';

export interface Evaluation {
  readonly verdict: 'accept' | 'drop';
  /** The answer that the kernel has to send; the verdict is `drop`. */
  readonly reject?: RejectWith;
  /** A match declared the packet evil: the policy has not counted, nor has the rule unless it matched nevertheless. */
  readonly hotdrop: boolean;
  /** Counters that grew by one packet and `skbLength` bytes, in the order of counting. */
  readonly counted: readonly number[];
  /** Indexes into `TablePolicy.logs`, in order. */
  readonly logs: readonly number[];
  /** Indexes into `TablePolicy.effects`, in order. When the last one is terminal, `accept` means: as its target decides. */
  readonly effects: readonly number[];
  /** From this entry of `counted` on, the packet is LONGER bytes longer; absent: it stays as it is. */
  readonly longerFrom?: number;
}

/**
 * Runs one packet through the table's chain on `hook`. A table without a chain there accepts and counts nothing: the
 * kernel would not call it. `memory` changes where stateful tests are reached.
 */
export function evaluate(policy: TablePolicy, hook: Hook, arrived: PacketView, memory: PolicyMemory): Evaluation {
  /** The packet as rules see it: with the marks that effects before them have changed. */
  let packet = arrived;
  const effects: number[] = [];
  let longerFrom: number | undefined;
  const counted: number[] = [];
  const logs: number[] = [];
  const end = (verdict: 'accept' | 'drop', more: { reject?: RejectWith; hotdrop?: boolean } = {}): Evaluation => ({
    verdict,
    hotdrop: false,
    ...more,
    counted,
    logs,
    effects,
    ...(longerFrom === undefined ? {} : { longerFrom }),
  });

  const base = policy.chains.findIndex((chain) => chain.base?.hook === hook);
  if (base === -1) return end('accept');

  /** Where to go on after RETURN: the place behind the rule that jumped. A goto leaves nothing here. */
  const jumpStack: { chain: number; rule: number }[] = [];
  let at = { chain: base, rule: 0 };
  for (;;) {
    const rule = policy.chains[at.chain]!.rules[at.rule];
    if (rule !== undefined) {
      const result = test(rule, packet, memory);
      if (result === 'hotdrop') return end('drop', { hotdrop: true });
      if (result === 'no match') {
        at = { chain: at.chain, rule: at.rule + 1 };
        continue;
      }
      counted.push(rule.counter);
      if (result === 'doomed') {
        const { action } = rule;
        if (action.kind === 'reject') return end('drop', { reject: action.with, hotdrop: true });
        if (action.kind === 'log') logs.push(action.log);
        if (action.kind === 'effect') {
          const { terminal, ends } = policy.effects![action.effect]!;
          // The verdict of a terminal target is not looked at.
          if (!terminal) effects.push(action.effect);
          if (!terminal && ends !== undefined && evaluateExpr(ends, arrived)) return end('accept');
        }
        return end('drop', { hotdrop: true });
      }
    }
    // The end of a chain is a RETURN.
    const action = rule?.action ?? { kind: 'return' };
    const behind = { chain: at.chain, rule: at.rule + 1 };
    switch (action.kind) {
      case 'accept':
      case 'drop':
        return end(action.kind);
      case 'reject':
        return end('drop', { reject: action.with });
      case 'log':
        logs.push(action.log);
        at = behind;
        break;
      case 'effect': {
        const effect = policy.effects![action.effect]!;
        effects.push(action.effect);
        if (effect.terminal || (effect.ends !== undefined && evaluateExpr(effect.ends, arrived))) return end('accept');
        if (effect.lengthens !== undefined && longerFrom === undefined && evaluateExpr(effect.lengthens, arrived)) {
          longerFrom = counted.length;
        }
        if (effect.change !== undefined) packet = changeMarks(packet, effect.change);
        at = behind;
        break;
      }
      case 'continue':
        at = behind;
        break;
      case 'jump':
        jumpStack.push(behind);
        at = { chain: action.chain, rule: 0 };
        break;
      case 'goto':
        at = { chain: action.chain, rule: 0 };
        break;
      case 'return': {
        const back = jumpStack.pop();
        if (back !== undefined) {
          at = back;
          break;
        }
        // Nobody to return to: the policy of the chain we came in by (the table's underflow entry), wherever we are now.
        const { policy: verdict, counter } = policy.chains[base]!.base!;
        counted.push(counter);
        return end(verdict);
      }
    }
  }
}

/** The conditions of a rule in their order; the first that does not hold decides. */
function test(rule: PolicyRule, packet: PacketView, memory: PolicyMemory): 'match' | 'no match' | 'hotdrop' | 'doomed' {
  let doomed = false;
  for (const condition of rule.conditions) {
    const holds = conditionHolds(condition, packet, memory);
    if (holds === 'hotdrop' || (condition.kind === 'hotdrop' && holds)) return 'hotdrop';
    if (condition.kind === 'doom') doomed ||= holds;
    else if (condition.kind !== 'hotdrop' && !holds) return doomed ? 'hotdrop' : 'no match';
  }
  return doomed ? 'doomed' : 'match';
}

function conditionHolds(condition: Condition, packet: PacketView, memory: PolicyMemory): boolean | 'hotdrop' {
  if (condition.kind === 'stateful') {
    const answer = runStateful(condition.test, memory, packet);
    return answer === 'hotdrop' ? answer : answer !== condition.invert;
  }
  return evaluateExpr(condition.expr, packet);
}

/** Whether an expression holds for a packet. Left to right, though reading has no effect. */
export function evaluateExpr(expr: Expr, packet: PacketView): boolean {
  switch (expr.kind) {
    case 'constant':
      return expr.value;
    case 'test':
      return inRanges(readField(packet, expr.field), expr);
    case 'payload':
      return inRanges(readPayload(packet, expr), expr);
    case 'tcpOption':
      return hasTcpOption(packet, expr.option);
    case 'tcpOptionsReadable':
      return tcpOptionsReadable(packet);
    case 'scan':
      return runScan(expr.scan, packet) === expr.outcome;
    case 'not':
      return !evaluateExpr(expr.expr, packet);
    case 'all':
      return expr.exprs.every((member) => evaluateExpr(member, packet));
    case 'any':
      return expr.exprs.some((member) => evaluateExpr(member, packet));
  }
}

function inRanges(whole: bigint, { mask, ranges }: Pick<Test, 'mask' | 'ranges'>): boolean {
  const value = mask === undefined ? whole : whole & mask;
  return ranges.some((range) => range.min <= value && value <= range.max);
}
