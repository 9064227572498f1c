/** What a policy can ask at a device: rules that cannot be carried out there, each with its reason. */

import type { FieldName } from '../policy/fields.ts';
import type { Condition, Expr, PolicyRule, StatefulTest, TablePolicy } from '../policy/ir.ts';
import { chainsFrom } from './chains.ts';
import { packetChange } from './changes.ts';
import { type DeviceKind, isIngress } from './hook.ts';

/** A rule that cannot be carried out at this hook. */
export interface Misfit {
  readonly rule: PolicyRule;
  readonly what: string;
  readonly why: string;
}

/** Fields that a program reads from the packet or the clock, whatever the hook. */
const EVERYWHERE: ReadonlySet<FieldName> = new Set<FieldName>([
  ...(['meta.length', 'ip.saddr', 'ip.daddr', 'ip.protocol', 'ip.fragOffset', 'ip.ttl', 'ip.tos'] as const),
  ...(['ip.totalLength', 'ip6.saddr', 'ip6.daddr', 'ip6.hopLimit', 'ip6.chain', 'ip6.protocol'] as const),
  ...(['ip6.fragOffset', 'transport.length', 'transport.sport', 'transport.dport', 'tcp.flags'] as const),
  ...(['tcp.headerLength', 'icmp.type', 'icmp.code', 'meta.cpu', 'clock.seconds', 'clock.daytime'] as const),
  ...(['clock.weekday', 'clock.monthday', 'clock.weekdayBefore', 'clock.monthdayBefore'] as const),
  ...(['ct.present', 'ct.info', 'ct.status', 'ct.mark'] as const),
]);

/** What reads about fields that are not there. */
const MISSING: readonly (readonly [prefix: string, what: string, why: string])[] = [
  ['meta.oifname', 'the output device', 'where the packet will leave is decided later'],
  ['meta.iifname', 'the input device', 'what the packet came in by has been forgotten here'],
  ['meta.mark', 'the mark', 'marks belong to packet buffers, and there is none yet'],
  ['meta.pkttype', 'the packet type', 'the type belongs to the packet buffer, and there is none yet'],
  ['meta.', 'the surroundings of the packet', 'only netfilter knows them'],
  ['socket.', 'the owner of the packet', 'only netfilter knows the socket'],
  ['asked.', 'an answer of the kernel', 'the kernel answers such questions only at netfilter'],
  ['route.', 'the route', 'there is none yet'],
  ['mac.eui64', 'an address made of the MAC address', 'it is compared only at netfilter'],
  ['mac.', 'the source MAC address', 'on the way out it is that of this machine'],
  ['ct.', 'this property of the connection', 'it is not read here'],
  ['xfrm.', 'the IPsec policy', 'it is applied elsewhere'],
  ['bridge.', 'the port of a bridge', 'it is known only at netfilter'],
];

export function fieldKnown(kind: DeviceKind, field: FieldName): boolean {
  if (EVERYWHERE.has(field)) return true;
  switch (field) {
    case 'meta.mark':
    case 'meta.pkttype':
      return kind !== 'xdp';
    case 'meta.iifname':
    case 'mac.present':
    case 'mac.saddr':
      return isIngress(kind);
    case 'meta.oifname':
      return !isIngress(kind);
    default:
      return false;
  }
}

/** Rules of the chain and of all that it leads to which cannot be carried out, in the order of chains and rules. */
export function misfits(policy: TablePolicy, start: number, kind: DeviceKind): readonly Misfit[] {
  return chainsFrom(policy, start).flatMap((chain) =>
    policy.chains[chain]!.rules.flatMap((rule) => {
      const found = misfitOf(policy, rule, kind);
      return found === undefined ? [] : [{ rule, ...found }];
    }),
  );
}

type Reason = Omit<Misfit, 'rule'>;

function misfitOf(policy: TablePolicy, rule: PolicyRule, kind: DeviceKind): Reason | undefined {
  for (const condition of rule.conditions) {
    const found = ofCondition(condition, kind);
    if (found !== undefined) return found;
  }
  return ofAction(policy, rule, kind);
}

function ofCondition(condition: Condition, kind: DeviceKind): Reason | undefined {
  return condition.kind === 'stateful' ? ofStateful(condition.test) : ofExpr(condition.expr, kind);
}

function ofStateful({ kind }: StatefulTest): Reason | undefined {
  switch (kind) {
    case 'limit':
    case 'nth':
    case 'random':
    case 'quota':
      return undefined;
    default:
      return { what: `the memory of ${kind}`, why: 'it is kept for rules at netfilter' };
  }
}

function ofExpr(expr: Expr, kind: DeviceKind): Reason | undefined {
  switch (expr.kind) {
    case 'test':
      return fieldKnown(kind, expr.field) ? undefined : missing(expr.field);
    case 'not':
      return ofExpr(expr.expr, kind);
    case 'all':
    case 'any':
      for (const part of expr.exprs) {
        const found = ofExpr(part, kind);
        if (found !== undefined) return found;
      }
      return undefined;
    case 'constant':
    case 'payload':
    case 'tcpOption':
    case 'tcpOptionsReadable':
      return undefined;
    default:
      return { what: 'a search through the packet', why: 'only programs at netfilter make it' };
  }
}

function missing(field: FieldName): Reason {
  const [, what, why] = MISSING.find(([prefix]) => field.startsWith(prefix)) ?? ['', field, 'it is not known here'];
  return { what, why };
}

function ofAction(policy: TablePolicy, { action }: PolicyRule, kind: DeviceKind): Reason | undefined {
  switch (action.kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'jump':
    case 'goto':
    case 'continue':
    case 'reject':
      return undefined;
    case 'log':
      return { what: 'logging', why: 'what is logged is read from the packet buffer of netfilter' };
    case 'effect': {
      const effect = policy.effects?.[action.effect];
      if (effect !== undefined && kind !== 'xdp' && packetChange(effect) !== undefined) return undefined;
      const what = effect === undefined ? 'a change of the packet' : `target ${effect.target[0]}`;
      return kind === 'xdp'
        ? { what, why: 'programs at XDP only decide and answer' }
        : { what, why: 'of packets, programs at TC change the mark, TOS, DSCP, TTL and hop limit' };
    }
  }
}

/** Fields that the chain and all that it leads to ask for. */
export function fieldsAsked(policy: TablePolicy, start: number): ReadonlySet<FieldName> {
  const fields = new Set<FieldName>();
  const visit = (expr: Expr): void => {
    if (expr.kind === 'test') fields.add(expr.field);
    else if (expr.kind === 'not') visit(expr.expr);
    else if (expr.kind === 'all' || expr.kind === 'any') expr.exprs.forEach(visit);
  };
  for (const chain of chainsFrom(policy, start))
    for (const { conditions } of policy.chains[chain]!.rules)
      for (const condition of conditions) if (condition.kind !== 'stateful') visit(condition.expr);
  return fields;
}

/** Whether the chain asks for connections. */
export function asksForConnections(policy: TablePolicy, start: number): boolean {
  return [...fieldsAsked(policy, start)].some((field) => field.startsWith('ct.'));
}
