/**
 * In what a policy at a device can differ from the same chain at netfilter, as far as its rules can show it. What is different for
 * every policy, whatever its rules, is in docs/device-hooks.md.
 */

import type { FieldName } from '../policy/fields.ts';
import type { Condition, Expr, PolicyRule, TablePolicy } from '../policy/ir.ts';
import { chainsFrom } from './chains.ts';
import { type DeviceChain, type DeviceKind, isIngress } from './hook.ts';

export interface Difference {
  readonly what: string;
  readonly why: string;
  /** The first rule that shows it; absent: the policy as such. */
  readonly rule?: PolicyRule;
}

interface Case {
  readonly what: string;
  readonly why: string;
  readonly kinds: readonly DeviceKind[];
  readonly shows: (rule: PolicyRule) => boolean;
}

const EVERYWHERE: readonly DeviceKind[] = ['xdp', 'tc-ingress', 'tc-egress'];

const asks =
  (...names: readonly string[]) =>
  (rule: PolicyRule): boolean =>
    fieldsOf(rule).some((field) =>
      names.some((name) => field === name || (name.endsWith('.') && field.startsWith(name))),
    );

const CASES: readonly Case[] = [
  {
    what: 'states of connections',
    why: 'connections are looked up, not tracked: only those of TCP and UDP are known, a packet that belongs to none is NEW, and fragments are not put together',
    kinds: EVERYWHERE,
    shows: asks('ct.'),
  },
  {
    what: 'names of devices',
    why: 'packets with a VLAN tag, and those of a bridge or bond, have the name of the device below',
    kinds: EVERYWHERE,
    shows: asks('meta.iifname', 'meta.oifname'),
  },
  {
    what: 'lengths and memory',
    why: 'segments that the stack would merge (GRO) come one by one',
    kinds: ['xdp'],
    shows: (rule) =>
      asks('meta.length', 'ip.totalLength')(rule) || rule.conditions.some(({ kind }) => kind === 'stateful'),
  },
  {
    what: 'answers of REJECT',
    why: 'the program sends them back by the way that the packet came, with limits of its own',
    kinds: EVERYWHERE,
    shows: ({ action }) => action.kind === 'reject',
  },
];

/** All that can be seen in the rules that the chain leads to. */
export function differences(
  policy: TablePolicy,
  start: number,
  kind: DeviceKind,
  chain: DeviceChain,
): readonly Difference[] {
  const rules = chainsFrom(policy, start).flatMap((index) => policy.chains[index]!.rules);
  const shown = CASES.flatMap(({ what, why, kinds, shows }) => {
    const rule = kinds.includes(kind) ? rules.find(shows) : undefined;
    return rule === undefined ? [] : [{ what, why, rule }];
  });
  return [...ofChain(kind, chain), ...shown];
}

function ofChain(kind: DeviceKind, { hook }: DeviceChain): readonly Difference[] {
  if (isIngress(kind)) {
    if (hook === 'PREROUTING') return [];
    const meets = hook === 'INPUT' ? 'packets that will be forwarded meet it, too' : 'all packets that come in meet it';
    return [{ what: `chain ${hook}`, why: `${meets}, and all as they came, before NAT` }];
  }
  if (hook === 'POSTROUTING') return [];
  const meets = hook === 'OUTPUT' ? 'packets that are forwarded meet it, too' : 'all packets that go out meet it';
  return [{ what: `chain ${hook}`, why: `${meets}, and all as they go, behind NAT` }];
}

function fieldsOf({ conditions }: PolicyRule): readonly FieldName[] {
  return conditions.flatMap(fieldsOfCondition);
}

function fieldsOfCondition(condition: Condition): readonly FieldName[] {
  return condition.kind === 'stateful' ? [] : fieldsOfExpr(condition.expr);
}

function fieldsOfExpr(expr: Expr): readonly FieldName[] {
  switch (expr.kind) {
    case 'test':
      return [expr.field];
    case 'not':
      return fieldsOfExpr(expr.expr);
    case 'all':
    case 'any':
      return expr.exprs.flatMap(fieldsOfExpr);
    default:
      return [];
  }
}
