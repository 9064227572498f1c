/**
 * Lowers a chain whose rules are columns: one rule of each kind is lowered like any other, and where its values show up in one condition
 * each, all rules of the kind are lowered with it.
 */
import type { Family } from '../packet/netfilter.ts';
import { between, masked, require } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Condition, Expr, Interval, PolicyRule } from '../policy/ir.ts';
import { OTHER_KIND, type PolicyColumns, type PolicyKind, type PolicySlot } from '../policy/policy-columns.ts';
import type { Rule } from '../rules/model.ts';
import { type RuleColumns, type RuleKind, SLOTS } from '../rules/rule-columns.ts';
import type { LoweredRule } from './lower-rule.ts';

export interface ColumnsHost {
  readonly family: Family;
  readonly chain: string;
  readonly firstCounter: number;
  /** Lowers a rule for good. */
  lower(rule: Rule, at: number): PolicyRule;
  /** Lowers a rule to see what becomes of it; undefined when that makes anything beside conditions and an action. */
  probe(rule: Rule): Pick<LoweredRule, 'conditions' | 'action'> | undefined;
}

/** The fields that slots are about. */
const FIELDS_OF_SLOTS = {
  ipv4: ['ip.saddr', 'ip.daddr', 'transport.sport', 'transport.dport'],
  ipv6: ['ip6.saddr', 'ip6.daddr', 'transport.sport', 'transport.dport'],
} as const satisfies Record<Family, readonly FieldName[]>;
const ADDRESSES = SLOTS.indexOf('destination');

export function lowerColumns(columns: RuleColumns, host: ColumnsHost): PolicyColumns {
  const { family, chain, firstCounter } = host;
  const found = columns.kinds.map((kind) => lowerKind(kind, host));
  const kinds: PolicyKind[] = [];
  const numbers = found.map((kind) => (kind === undefined ? OTHER_KIND : kinds.push(kind) - 1));
  const same = kinds.length === found.length;
  const kind = same ? columns.kind : columns.kind.map((number) => numbers[number] ?? OTHER_KIND);
  const others = new Map<number, PolicyRule>();
  if (same) for (const [at, rule] of columns.others) others.set(at, host.lower(rule, at));
  else
    for (let at = 0; at < columns.count; at++)
      if (kind[at] === OTHER_KIND) others.set(at, host.lower(columns.rule(at), at));
  const { source, start, end, values } = columns;
  const examples: (PolicyRule | undefined)[] = [];
  let places: PolicyColumns['places'] | undefined;
  let different: readonly PolicyRule[] | undefined;
  const made: PolicyColumns = Object.freeze({
    length: columns.count,
    kinds,
    kind,
    others,
    values,
    firstCounter,
    get places() {
      places ??= differentPlaces(made);
      return places;
    },
    get different() {
      different ??= made.places.map(([, rule]) => rule);
      return different;
    },
    like(index: number) {
      const number = kind[index]!;
      if (number === OTHER_KIND) return others.get(index)!;
      examples[number] ??= made.at(index)!;
      return examples[number];
    },
    at(index: number) {
      const other = others.get(index);
      if (other !== undefined) return other;
      const own = kinds[kind[index] ?? OTHER_KIND];
      if (own === undefined) return undefined;
      const conditions = own.conditions.slice();
      for (const { slot, condition, field } of own.slots) {
        const column = values[slot]!;
        conditions[condition] = require(slotTest(slot, field, column.lo[index]!, column.hi[index]!));
      }
      const span = Object.freeze({ source, start: start[index]!, end: end[index]! });
      return Object.freeze({
        conditions: Object.freeze(conditions),
        action: own.action,
        counter: firstCounter + index,
        provenance: Object.freeze({ chain, rule: index + 1, span }),
      });
    },
  });
  return made;

  function slotTest(slot: number, field: FieldName, lo: number, hi: number): Expr {
    if (slot > ADDRESSES) return between(field, lo, hi);
    return family === 'ipv4' ? masked(field, BigInt(lo), BigInt(~(lo ^ hi) >>> 0)) : between(field, lo, hi);
  }
}

/** The first rule of each kind and the others, by place. */
function differentPlaces({ kinds, kind, others, at }: PolicyColumns): PolicyColumns['places'] {
  const first = kinds.map((_, number) => kind.indexOf(number)).filter((place) => place >= 0);
  return [...first, ...others.keys()].sort((a, b) => a - b).map((place) => [place, at(place)!]);
}

function lowerKind({ example, slots }: RuleKind, host: ColumnsHost): PolicyKind | undefined {
  const lowered = host.probe(example);
  if (lowered === undefined) return undefined;
  const { conditions, action } = lowered;
  const places: PolicySlot[] = [];
  for (const { slot, lo, hi } of slots) {
    const field = FIELDS_OF_SLOTS[host.family][slot]!;
    const asking = conditions.flatMap((condition, at) => (asks(condition, field) ? [at] : []));
    const [condition] = asking;
    if (asking.length !== 1 || condition === undefined) return undefined;
    if (!isInterval(conditions[condition]!, BigInt(lo), BigInt(hi), slot)) return undefined;
    places.push({ slot, condition, field });
  }
  return Object.freeze({ conditions, action, slots: Object.freeze(places) });
}

function asks(condition: Condition, field: FieldName): boolean {
  return condition.kind !== 'stateful' && mentions(condition.expr, field);
}

function mentions(expr: Expr, field: FieldName): boolean {
  switch (expr.kind) {
    case 'test':
      return expr.field === field;
    case 'not':
      return mentions(expr.expr, field);
    case 'all':
    case 'any':
      return expr.exprs.some((member) => mentions(member, field));
    default:
      return false;
  }
}

/** `require` of just this interval: as a prefix under its mask, or as it is. */
function isInterval(condition: Condition, lo: bigint, hi: bigint, slot: number): boolean {
  if (condition.kind !== 'require' || condition.expr.kind !== 'test') return false;
  const { mask, ranges } = condition.expr;
  const [range] = ranges;
  const wanted: Interval = slot > ADDRESSES || lo === hi ? { min: lo, max: hi } : { min: lo, max: lo };
  const wantedMask = slot > ADDRESSES || lo === hi ? undefined : 0xffff_ffffn ^ (lo ^ hi);
  return ranges.length === 1 && range?.min === wanted.min && range.max === wanted.max && mask === wantedMask;
}
