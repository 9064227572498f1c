/** Packets that are suspended for questions on the way: evaluator and compiled programs in the virtual machine agree, whatever the answers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { LOOKUP_OPTIONS, type LookupOptions } from '../../src/codegen/netfilter/lookup/plan.ts';
import { createSimulation, runHook } from '../../src/codegen/netfilter/simulate.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import { createMemory, type NamedMemory } from '../../src/policy/memory.ts';
import type { PacketView } from '../../src/policy/packet-view.ts';
import { randomRulesetText, randomTraffic } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { compile, compiledHook, hooksOf } from './cases.ts';

const QUESTION = '-m nfacct --nfacct-name count';

/** Puts a question into some rules: before their matches, between them, or behind them. */
function withQuestions(text: string, choices: readonly number[]): string {
  let next = 0;
  return text
    .split('\n')
    .map((line) => {
      if (!line.startsWith('-A')) return line;
      const choice = choices[next++ % choices.length]!;
      if (choice % 4 !== 0) return line;
      const places = [...line.matchAll(/ (?=-m |-j |-g |! -m )/g)].map(({ index }) => index);
      const place = places[(choice >> 2) % Math.max(1, places.length)] ?? line.length;
      const rest = line.slice(place);
      return rest.includes('-m nfacct') ? line : `${line.slice(0, place)} ${QUESTION}${rest}`;
    })
    .join('\n');
}

/** Undefined where a packet can meet too many questions. */
function lowered(text: string, family: Family): readonly TablePolicy[] | undefined {
  try {
    return policiesOf(text, family);
  } catch (error) {
    if (error instanceof Error && /a packet can meet|has changed before it/.test(error.message)) return undefined;
    throw error;
  }
}

interface Tally {
  suspended: number;
  again: number;
}

function compareAll(
  policies: readonly TablePolicy[],
  packets: readonly PacketView[],
  tally: Tally,
  lookups: LookupOptions,
): void {
  const generation = compile(policies, REFERENCE_FACTS, lookups);
  const simulation = createSimulation(generation, REFERENCE_FACTS);
  const named: NamedMemory = new Map();
  for (const policy of policies) {
    const memory = createMemory(policy, REFERENCE_FACTS.hz, named);
    const sums = Array.from({ length: policy.counters }, () => ({ packets: 0n, bytes: 0n }));
    for (const view of packets) {
      for (const hook of hooksOf(policy)) {
        const { verdict, reject, effects, counted, logs } = evaluate(policy, hook, view, memory);
        for (const counter of counted) {
          sums[counter]!.packets += 1n;
          sums[counter]!.bytes += BigInt(view.skbLength);
        }
        const run = runHook(generation, compiledHook(generation, policy, hook)!, { view }, simulation);
        if (run.suspended > 0) tally.suspended++;
        if (run.suspended > 1) tally.again++;
        expect({ ...run, events: run.events.length, counters: run.counters() }).toMatchObject({
          verdict,
          ...(reject === undefined ? {} : { reject }),
          effects,
          events: logs.length,
          counters: sums,
        });
        expect(run.reject).toBe(reject);
      }
    }
  }
}

/** Rules in a row become a look-up, and none. */
const LOOKUPS = [
  ['behind each other', { ...LOOKUP_OPTIONS, choice: 'linear' }],
  ['in look-ups', { choice: 'auto', extract: { ...LOOKUP_OPTIONS.extract, minRules: 2 } }],
] as const satisfies readonly (readonly [string, LookupOptions])[];

describe.each(FAMILIES)('suspended %s packets', (family) => {
  it.each(LOOKUPS)('go on where they were: rules %s', (_, lookups) => {
    const tally = { suspended: 0, again: 0 };
    const text = randomRulesetText(family, { memory: 'random', targets: ['reject', 'log', 'effect'] });
    const choices = fc.array(fc.nat({ max: 31 }), { minLength: 4, maxLength: 8 });
    const traffic = randomTraffic(family, {}, 10);
    fc.assert(
      fc.property(
        text,
        choices,
        traffic,
        fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
        (rules, chosen, views, answers) => {
          const policies = lowered(withQuestions(rules, chosen), family);
          if (policies === undefined) return;
          const asked = views.map((view, at) => ({ ...view, staged: (answers >> BigInt(at)) ^ (answers << 3n) }));
          compareAll(policies, asked, tally, lookups);
        },
      ),
      { numRuns: 100 },
    );
    expect(tally.suspended).toBeGreaterThan(30);
    expect(tally.again).toBeGreaterThan(5);
  });
});
