import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packetsFor, randomRulesetText, randomTraffic } from '../../test/generate/index.ts';
import { policiesOf } from '../../test/generate/policies.ts';
import { FAMILIES, type Family, type TableName } from '../packet/netfilter.ts';
import { evaluate } from '../policy/evaluate.ts';
import { createMemory } from '../policy/memory.ts';
import { type PacketView, readField } from '../policy/packet-view.ts';
import { ORDINARY_BYTES } from './knowledge.ts';
import { reportEarly } from './report.ts';
import { planStages, type Stages, stagesOf } from './stages.ts';

const HZ = 250;

function stages(text: string, kernel: readonly TableName[] = [], family: Family = 'ipv4'): Stages | undefined {
  return planStages({ policies: policiesOf(text, family), kernel });
}

const names = (planned: Stages | undefined): readonly string[] =>
  planned === undefined
    ? []
    : stagesOf(planned).map(({ table, hook, last }) => `${table} ${hook}${last ? ' last' : ''}`);

const table = (name: string, ...rules: readonly string[]): string => `*${name}\n${rules.join('\n')}\nCOMMIT\n`;

describe('the way in', () => {
  const everything =
    table('raw', '-A PREROUTING -p udp') +
    table('mangle', '-A INPUT -p udp') +
    table('filter', '-A INPUT -s 10.0.0.1/32 -j DROP', '-A FORWARD -j LOG', '-A FORWARD -j DROP');

  it('goes as far as something can be dropped', () => {
    expect(names(stages(everything))).toEqual([
      'raw PREROUTING',
      'mangle PREROUTING',
      'mangle INPUT',
      'filter INPUT last',
    ]);
    expect(
      names(stages(table('raw', '-A PREROUTING -j DROP') + everything.slice(everything.indexOf('*mangle')))),
    ).toEqual(['raw PREROUTING last']);
    expect(names(stages(table('filter', '-A OUTPUT -j DROP')))).toEqual([]);
  });

  it('ends at nat and at tables of the kernel', () => {
    expect(names(stages(everything, ['nat']))).toEqual([]);
    expect(names(stages(everything + table('security', '-A FORWARD -j DROP'), ['filter']))).toEqual([]);
    expect(
      names(stages(table('mangle', '-A PREROUTING -p tcp -j DROP') + table('filter', '-A INPUT -j DROP'), ['nat'])),
    ).toEqual(['mangle PREROUTING last']);
    expect(names(stages(everything, ['raw']))).toEqual([]);
  });

  it('is reported: which rules, and why not the others', () => {
    const policies = policiesOf(everything, 'ipv4');
    const { drops, early, others } = reportEarly(policies, [], planStages({ policies, kernel: [] }));
    expect({ drops, early }).toEqual({ drops: 2, early: 1 });
    expect(others).toEqual([{ reason: 'behind another rule', count: 1, example: 'filter FORWARD rule 2' }]);
    expect(reportEarly(policies, ['nat']).others).toEqual([
      { reason: 'behind nat', count: 2, example: 'filter INPUT rule 1' },
    ]);
  });
});

/** Whether an early program looks at it at all. */
function isPlain({ family, bytes }: PacketView): boolean {
  if (family === 'ipv6') return bytes.length >= 40 && ![0, 43, 44, 51, 60].includes(bytes[6]!);
  return bytes.length >= 20 && bytes[0] === 0x45 && (((bytes[6]! << 8) | bytes[7]!) & 0x3fff) === 0;
}

/** As the stack hands it on to FORWARD. */
function oneHopLess(view: PacketView): PacketView {
  const bytes = view.bytes.slice();
  bytes[view.family === 'ipv4' ? 8 : 7]!--;
  return { ...view, bytes };
}

describe('reduced tables behind a route', () => {
  it.each(FAMILIES)('decide as the whole ones do: random %s tables', (family) => {
    const texts = randomRulesetText(family, { tables: ['filter'], targets: ['log', 'effect'] });
    let decided = 0;
    fc.assert(
      fc.property(texts, randomTraffic(family, {}, 12), (text, random) => {
        const planned = planStages({ policies: policiesOf(text, family), kernel: [] });
        const traffic = [...random];
        for (const stage of planned === undefined ? [] : stagesOf(planned)) {
          for (const view of [...traffic, ...packetsFor(stage.policy, { limit: 40 }).map(({ packet }) => packet)]) {
            const hops = view.bytes[family === 'ipv4' ? 8 : 7] ?? 0;
            if (!isPlain(view) || hops < 2) continue;
            const kind = readField(view, 'transport.length') < BigInt(ORDINARY_BYTES) ? 'short' : 'ordinary';
            // At INPUT nothing has an output device; a tracked packet is not made here.
            const { out, ...received } = view;
            const met = stage.hook === 'INPUT' ? received : view;
            const early = evaluate(stage.tables[kind], stage.hook, met, createMemory(stage.tables[kind], HZ));
            if (stage.place.tracked || early.reject !== undefined || met.pkttype !== 0) continue;
            if (early.verdict === 'accept' && stage.last) continue;
            decided++;
            const seen = stage.hook === 'FORWARD' ? oneHopLess(met) : met;
            const full = evaluate(stage.policy, stage.hook, seen, createMemory(stage.policy, HZ));
            expect(early).toEqual(full);
          }
        }
      }),
      { numRuns: 40 },
    );
    expect(decided).toBeGreaterThan(10);
  });
});
