/** What the rules that a hook can reach ask for. */

import type { Family } from '../../packet/netfilter.ts';
import { FIELDS, type FieldName } from '../../policy/fields.ts';
import type { Expr, PolicyRule, RejectWith, TablePolicy } from '../../policy/ir.ts';
import { fieldsOfStateful } from '../../policy/named-tests.ts';
import { differentRules } from '../../policy/policy-columns.ts';
import { readsTransport, type Scan } from '../../policy/scan.ts';
import { stagedIn } from '../../policy/staged.ts';
import { answersNeeded } from './asked.ts';
import { slotsForScan } from './scan/scan.ts';

export interface Usage {
  readonly fields: ReadonlySet<FieldName>;
  /** A rule looks behind the IP header (or, IPv6, for the protocol at the end of the header chain). */
  readonly transport: boolean;
  /** Answers of REJECT rules, in order of first use. */
  readonly reject: readonly RejectWith[];
  readonly log: boolean;
  readonly effects: boolean;
  /** Effects can make packets longer. */
  readonly lengthens: boolean;
  /** Numbers of the answers of the kernel that rules look at (asked.ts). */
  readonly answers: readonly number[];
  /** Numbers of the questions that packets can be suspended for (staged.ts). */
  readonly staged: readonly number[];
  /** A rule looks for something in a loop that is verified with the rules: a TCP option. */
  readonly loops: boolean;
  /** Return slots that have to give way to the frames of scans. */
  readonly slotsForScans: number;
}

/** Usage of the given chains (indexes into the policy's list). */
export function usageOf(policy: TablePolicy, chains: Iterable<number>): Usage {
  const used = [...chains];
  const fields = new Set<FieldName>();
  const functions = new Set<number | Scan>();
  const reject = new Set<RejectWith>();
  let log = false;
  let effects = false;
  let lengthens = false;
  for (const chain of used) {
    for (const rule of differentRules(policy.chains[chain]!)) {
      collectRule(rule, policy.family, fields, functions);
      if (rule.action.kind === 'reject') reject.add(rule.action.with);
      if (rule.action.kind === 'log') log = true;
      if (rule.action.kind === 'effect') {
        effects = true;
        const effect = policy.effects![rule.action.effect]!;
        if (effect.ends !== undefined) collect(effect.ends, fields, functions);
        if (effect.lengthens !== undefined) collect(effect.lengthens, fields, functions);
        lengthens ||= effect.lengthens !== undefined;
      }
    }
  }
  const needs = (what: (typeof FIELDS)[FieldName]['needs']): boolean =>
    [...fields].some((field) => FIELDS[field].needs === what);
  return {
    fields,
    transport: needs('transport'),
    reject: [...reject],
    log,
    effects,
    lengthens,
    answers: answersNeeded(policy, used),
    staged: stagedIn(policy, used),
    loops: [...functions].some((item) => typeof item === 'number'),
    slotsForScans: Math.max(0, ...[...functions].map((item) => (typeof item === 'number' ? 0 : slotsForScan(item)))),
  };
}

function collectRule(rule: PolicyRule, family: Family, fields: Set<FieldName>, functions: Set<number | Scan>): void {
  for (const condition of rule.conditions) {
    if (condition.kind !== 'stateful') collect(condition.expr, fields, functions);
    else for (const field of fieldsOfStateful(condition.test, family)) fields.add(field);
  }
}

function collect(expr: Expr, fields: Set<FieldName>, functions: Set<number | Scan>): void {
  switch (expr.kind) {
    case 'test':
      fields.add(expr.field);
      return;
    case 'payload':
      // Nothing else makes the prologue find the transport header.
      if (expr.base === 'transport') fields.add('transport.length');
      return;
    case 'scan':
      // What these do is done by functions that are verified on their own.
      if (readsTransport(expr.scan)) fields.add('transport.length');
      else if (expr.scan.kind !== 'u32') functions.add(expr.scan);
      return;
    case 'tcpOption':
      functions.add(expr.option);
      fields.add('tcp.headerLength');
      return;
    case 'tcpOptionsReadable':
      fields.add('tcp.headerLength').add('transport.length');
      return;
    case 'not':
      collect(expr.expr, fields, functions);
      return;
    case 'all':
    case 'any':
      for (const part of expr.exprs) collect(part, fields, functions);
      return;
    case 'constant':
      return;
  }
}
