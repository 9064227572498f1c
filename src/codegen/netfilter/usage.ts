/** What the rules that a hook can reach ask for. */

import { FIELDS, type FieldName } from '../../policy/fields.ts';
import type { Expr, PolicyRule, RejectWith, TablePolicy } from '../../policy/ir.ts';

export interface Usage {
  readonly fields: ReadonlySet<FieldName>;
  /** A rule looks behind the IP header (or, IPv6, for the protocol at the end of the header chain). */
  readonly transport: boolean;
  /** Answers of REJECT rules, in order of first use. */
  readonly reject: readonly RejectWith[];
  readonly log: boolean;
  /** A rule looks for a TCP option, which takes a loop. */
  readonly tcpOption: boolean;
}

/** Usage of the given chains (indexes into the policy's list). */
export function usageOf(policy: TablePolicy, chains: Iterable<number>): Usage {
  const fields = new Set<FieldName>();
  const options = new Set<number>();
  const reject = new Set<RejectWith>();
  let log = false;
  for (const chain of chains) {
    for (const rule of policy.chains[chain]!.rules) {
      collectRule(rule, fields, options);
      if (rule.action.kind === 'reject') reject.add(rule.action.with);
      if (rule.action.kind === 'log') log = true;
    }
  }
  const needs = (what: (typeof FIELDS)[FieldName]['needs']): boolean =>
    [...fields].some((field) => FIELDS[field].needs === what);
  return {
    fields,
    transport: needs('transport'),
    reject: [...reject],
    log,
    tcpOption: options.size > 0,
  };
}

function collectRule(rule: PolicyRule, fields: Set<FieldName>, options: Set<number>): void {
  for (const condition of rule.conditions) if (condition.kind !== 'stateful') collect(condition.expr, fields, options);
}

function collect(expr: Expr, fields: Set<FieldName>, options: Set<number>): void {
  switch (expr.kind) {
    case 'test':
      fields.add(expr.field);
      return;
    case 'payload':
      // Nothing else makes the prologue find the transport header.
      if (expr.base === 'transport') fields.add('transport.length');
      return;
    case 'tcpOption':
      options.add(expr.option);
      fields.add('tcp.headerLength');
      return;
    case 'tcpOptionsReadable':
      fields.add('tcp.headerLength').add('transport.length');
      return;
    case 'not':
      collect(expr.expr, fields, options);
      return;
    case 'all':
    case 'any':
      for (const part of expr.exprs) collect(part, fields, options);
      return;
    case 'constant':
      return;
  }
}
