/** Packets made for one policy: for each test of each rule a value inside, at the edges of and just outside its intervals. */

import type { Hook } from '../../src/packet/netfilter.ts';
import { fieldMax } from '../../src/policy/expr.ts';
import type { FieldName } from '../../src/policy/fields.ts';
import type { Condition, PayloadTest, PolicyRule, TablePolicy } from '../../src/policy/ir.ts';
import { type PacketView, packetView } from '../../src/policy/packet-view.ts';
import { assemble } from './assemble.ts';
import {
  type Assignment,
  assign,
  assignedPayload,
  assignPayload,
  NOTHING_ASSIGNED,
  satisfy,
  satisfyAll,
  testsOf,
  valuesAround,
} from './assignment.ts';
import { nastyPackets } from './nasty.ts';
import { HAS_IN, HAS_OUT } from './packet.ts';
import { scanPackets } from './scan-packets.ts';

export interface DirectedPacket {
  /** The hook whose chain it is made for. */
  readonly hook: Hook;
  readonly packet: PacketView;
  /** What it is made for, for messages: `INPUT rule 3: transport.dport = 81`. */
  readonly why: string;
  /** Fields that were given a value on purpose: a sender that cannot control one of them can leave the packet out. */
  readonly fields: readonly FieldName[];
}

export interface DirectedOptions {
  /** At most this many packets, evenly picked from all before equal ones are taken out. Default: all. */
  readonly limit?: number;
  /** Add the fixed list of `nastyPackets` for each hook. Default: yes. */
  readonly nasty?: boolean;
}

/**
 * For every rule that can be reached, from every hook: a packet that should match it, and for each value around each of
 * its tests that packet with only this value changed. Always the same list for the same policy.
 */
export function packetsFor(policy: TablePolicy, options: DirectedOptions = {}): readonly DirectedPacket[] {
  const found = new Map<string, DirectedPacket>();
  for (const make of pick(candidates(policy, options.nasty ?? true), options.limit)) {
    const directed = make();
    const key = `${directed.hook} ${identity(directed.packet)}`;
    if (!found.has(key)) found.set(key, directed);
  }
  return [...found.values()];
}

/** Everything worth sending, not yet assembled: a large policy has far more of it than anybody sends. */
function candidates(policy: TablePolicy, nasty: boolean): readonly (() => DirectedPacket)[] {
  const list: (() => DirectedPacket)[] = [];
  for (const [chain, { base }] of policy.chains.entries()) {
    if (base === undefined) continue;
    const { hook } = base;
    for (const { rule, way } of reachableRules(policy, chain)) {
      for (const { assignment, what } of variations(rule, way))
        list.push(() => ({
          hook,
          packet: assemble(policy.family, hook, assignment),
          why: `${hook}, ${rule.provenance.chain} rule ${rule.provenance.rule}: ${what}`,
          fields: [...assignment.fields.keys()],
        }));
      for (const bytes of scanPackets(policy.family, rule))
        list.push(() => ({
          hook,
          packet: packetView({ family: policy.family, bytes, ...devicesAt(hook) }),
          why: `${hook}, ${rule.provenance.chain} rule ${rule.provenance.rule}: scan`,
          fields: [],
        }));
    }
    if (!nasty) continue;
    for (const { why, bytes } of nastyPackets(policy.family)) {
      const packet = packetView({ family: policy.family, bytes, ...devicesAt(hook) });
      list.push(() => ({ hook, packet, why: `${hook}: ${why}`, fields: [] }));
    }
  }
  return list;
}

/** All rules that a chain leads to, with the conditions of the jumps on one way there. */
function reachableRules(
  policy: TablePolicy,
  start: number,
): readonly { readonly rule: PolicyRule; readonly way: readonly Condition[] }[] {
  const visited = new Set<number>();
  const visit = (chain: number, way: readonly Condition[]): { rule: PolicyRule; way: readonly Condition[] }[] => {
    if (visited.has(chain)) return [];
    visited.add(chain);
    return policy.chains[chain]!.rules.flatMap((rule) => {
      const { action } = rule;
      const below =
        action.kind === 'jump' || action.kind === 'goto' ? visit(action.chain, [...way, ...rule.conditions]) : [];
      return [{ rule, way }, ...below];
    });
  };
  return visit(start, []);
}

function variations(
  rule: PolicyRule,
  way: readonly Condition[],
): readonly { readonly assignment: Assignment; readonly what: string }[] {
  const matching = satisfyAll(NOTHING_ASSIGNED, [...way, ...rule.conditions]);
  const out: { assignment: Assignment; what: string }[] = [{ assignment: matching, what: 'match' }];
  for (const condition of rule.conditions) {
    if (condition.kind === 'stateful') continue;
    out.push({
      assignment: satisfy(matching, condition.expr, condition.kind !== 'require'),
      what: condition.kind === 'require' ? 'no match' : condition.kind,
    });
    for (const test of testsOf(condition.expr)) {
      if (test.kind === 'payload') {
        out.push(...payloadVariations(matching, test));
        continue;
      }
      const mask = test.mask ?? fieldMax(test.field);
      const others = (matching.fields.get(test.field) ?? 0n) & ~mask;
      for (const value of valuesAround(test))
        out.push({
          assignment: assign(matching, test.field, others | value),
          what: `${test.field} = ${others | value}`,
        });
      // Bits outside the mask must not matter.
      if (test.mask !== undefined) {
        const flipped = (matching.fields.get(test.field) ?? 0n) ^ (fieldMax(test.field) & ~mask);
        out.push({ assignment: assign(matching, test.field, flipped), what: `${test.field} = ${flipped}` });
      }
    }
  }
  return out;
}

function payloadVariations(
  matching: Assignment,
  test: PayloadTest,
): readonly { readonly assignment: Assignment; readonly what: string }[] {
  const ones = (1n << BigInt(test.bits)) - 1n;
  const mask = test.mask ?? ones;
  const own = assignedPayload(matching, test) ?? 0n;
  const values = [...valuesAround(test).map((value) => (own & ~mask & ones) | value), own ^ (ones & ~mask)];
  return values.map((value) => ({
    assignment: assignPayload(matching, test, value),
    what: `${test.base}[${test.offset}:${test.bits}] = ${value}`,
  }));
}

function devicesAt(hook: Hook): Partial<PacketView> {
  return {
    ...(HAS_IN.has(hook) ? { in: { name: 'eth0', ifindex: 2 } } : {}),
    ...(HAS_OUT.has(hook) ? { out: { name: 'eth0', ifindex: 2 } } : {}),
  };
}

/** Two packets with the same text are the same packet to every policy. */
function identity(packet: PacketView): string {
  return JSON.stringify(packet, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  });
}

function pick<T>(list: readonly T[], limit: number | undefined): readonly T[] {
  if (limit === undefined || list.length <= limit) return list;
  return Array.from({ length: limit }, (_, at) => list[Math.floor((at * list.length) / limit)]!);
}
