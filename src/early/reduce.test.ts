import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packetsFor, randomRulesetText, randomTraffic } from '../../test/generate/index.ts';
import { policiesOf } from '../../test/generate/policies.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import { evaluate } from '../policy/evaluate.ts';
import type { TablePolicy } from '../policy/ir.ts';
import { createMemory } from '../policy/memory.ts';
import { type PacketView, readField } from '../policy/packet-view.ts';
import { EARLY_PACKETS, type EarlyPackets, knowledgeOf, ORDINARY_BYTES } from './knowledge.ts';
import { canDrop, LET_GO, reduceRule, reduceTable } from './reduce.ts';

const HOOK = 'PREROUTING';
const HZ = 250;

/** The kind of a packet, undefined for those that never reach the rules of an early program. */
function kindOf(view: PacketView): EarlyPackets | undefined {
  const { bytes } = view;
  if (view.pkttype !== 0 || view.out !== undefined) return undefined;
  if (bytes.length < 40 && view.family === 'ipv6') return undefined;
  if (view.family === 'ipv4') {
    const fragment = (bytes[6]! << 8) | bytes[7]!;
    if (bytes[0] !== 0x45 || (fragment & 0x3fff) !== 0 || bytes.length < 20) return undefined;
  } else if ([0, 43, 44, 51, 60].includes(bytes[6]!)) return undefined;
  return readField(view, 'transport.length') < BigInt(ORDINARY_BYTES) ? 'short' : 'ordinary';
}

function raw(family: Family, ...lines: readonly string[]): TablePolicy {
  return policiesOf(`*raw\n${lines.join('\n')}\nCOMMIT\n`, family)[0]!;
}

/** The reduced rules of a chain: what became of their actions, and why. */
function fates(family: Family, ...lines: readonly string[]): readonly string[] {
  const policy = raw(family, ...lines);
  const chain = policy.chains.find(({ base }) => base?.hook === HOOK)!;
  return chain.rules.map((rule) => {
    const { rule: reduced, obstacle } = reduceRule(rule, knowledgeOf(family, 'ordinary'));
    return obstacle === undefined ? reduced.action.kind : `let go: ${obstacle}`;
  });
}

describe('a reduced table', () => {
  it('keeps rules that can be decided, and lets go where one cannot', () => {
    const lines = [
      '-A PREROUTING -s 10.0.0.1/32 -j DROP',
      '-A PREROUTING -p tcp -m tcp --dport 22 --tcp-flags SYN SYN -j ACCEPT',
      '-A PREROUTING -i eth+ -p icmp -m icmp --icmp-type 8 -j DROP',
      '-A PREROUTING -m mark --mark 0x1 -j DROP',
      '-A PREROUTING -m limit --limit 1/sec -j DROP',
      '-A PREROUTING -p udp -j LOG',
      '-A PREROUTING -p udp -j CT --notrack',
      '-A PREROUTING -m length --length 100 -j DROP',
    ];
    expect(fates('ipv4', ...lines)).toEqual([
      'drop',
      'accept',
      'drop',
      'let go: unknown field',
      'let go: memory',
      'let go: log',
      'let go: effect',
      'let go: unknown field',
    ]);
  });

  it('does not let go of packets that a computable test excludes', () => {
    const policy = raw('ipv4', '-A PREROUTING -s 10.0.0.1/32 -m mark --mark 0x1 -j ACCEPT', '-A PREROUTING -j DROP');
    const [rule] = reduceTable(policy, HOOK, knowledgeOf('ipv4', 'ordinary')).chains[0]!.rules;
    expect(rule!.conditions).toHaveLength(1);
    expect(rule!.action).toBe(LET_GO);
  });

  it('is worth nothing behind a rule that lets every packet go', () => {
    const reduced = (...lines: readonly string[]) =>
      reduceTable(raw('ipv4', ...lines), HOOK, knowledgeOf('ipv4', 'ordinary'));
    expect(canDrop(reduced('-A PREROUTING -s 10.0.0.1/32 -j DROP'), HOOK)).toBe(true);
    expect(canDrop(reduced('-A PREROUTING -m mark --mark 0x1', '-A PREROUTING -j DROP'), HOOK)).toBe(false);
    expect(canDrop(reduced('-A OUTPUT -j DROP'), HOOK)).toBe(false);
    expect(canDrop(reduced(':PREROUTING DROP'), HOOK)).toBe(true);
  });

  it.each(FAMILIES)('drops what the table drops, counting the same: random %s tables', (family) => {
    const texts = randomRulesetText(family, { tables: ['raw'], targets: ['log', 'effect'] });
    let drops = 0;
    fc.assert(
      fc.property(texts, randomTraffic(family, {}, 12), (text, random) => {
        const policy = policiesOf(text, family)[0]!;
        const traffic = [...random, ...packetsFor(policy, { limit: 60 }).map(({ packet }) => packet)];
        const reduced = new Map(
          EARLY_PACKETS.map((packets) => [packets, reduceTable(policy, HOOK, knowledgeOf(family, packets))]),
        );
        for (const view of traffic) {
          const kind = kindOf(view);
          if (kind === undefined) continue;
          const early = evaluate(reduced.get(kind)!, HOOK, view, createMemory(reduced.get(kind)!, HZ));
          if (early.verdict !== 'drop' || early.reject !== undefined) continue;
          drops++;
          const full = evaluate(policy, HOOK, view, createMemory(policy, HZ));
          expect({ ...early }).toEqual({ ...full });
        }
      }),
      { numRuns: 60 },
    );
    expect(drops).toBeGreaterThan(20);
  });
});
