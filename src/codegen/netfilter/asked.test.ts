import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { linkProgram } from '../../bpf/vm/link.ts';
import { runProgram } from '../../bpf/vm/machine.ts';
import { hashKeys, readElement } from '../../bpf/vm/maps.ts';
import { ipv4 } from '../../packet/craft.ts';
import { raw } from '../../packet/transport.ts';
import { evaluate } from '../../policy/evaluate.ts';
import { any, equals, not, require } from '../../policy/expr.ts';
import type { PolicyRule, TablePolicy } from '../../policy/ir.ts';
import { createMemory } from '../../policy/memory.ts';
import { packetView } from '../../policy/packet-view.ts';
import { answeredYes, MAX_QUESTIONS, type Question } from '../../policy/question.ts';
import { compileGeneration } from '../compile.ts';
import { MAP_NAMES } from '../compiled.ts';
import { ASKED_MAP, answerProgram, askProgram } from './asked.ts';
import type { Shape } from './hook.ts';
import { createSimulation, runHook } from './simulate.ts';

const FACTS = REFERENCE_FACTS;
const BUDGET = 1000;
/** The shape of programs with many chains. */
const LOOP: Shape = { copies: 'two', loop: true, cutAfter: 2 };
const BYTES = ipv4({ ttl: 3 }, raw(1));

function question(number: number): Question {
  return { kind: 'set', name: `set${number}`, sides: ['src'], returnNomatch: false };
}

/** One counting rule for each answer, a negated and a mixed one for some. */
function policyOf(answers: readonly number[]): TablePolicy {
  const exprs = answers.flatMap((number, at) => [
    answeredYes(number),
    ...(at % 2 === 0 ? [not(answeredYes(number))] : []),
    ...(at % 3 === 0 ? [any(equals('ip.ttl', 4), answeredYes(number))] : []),
  ]);
  const rules = exprs.map(
    (expr, at): PolicyRule => ({
      conditions: [require(expr)],
      action: { kind: 'continue' },
      counter: at,
      provenance: { chain: 'INPUT', rule: at + 1 },
    }),
  );
  return {
    family: 'ipv4',
    table: 'filter',
    chains: [{ name: 'INPUT', base: { hook: 'INPUT', policy: 'accept', counter: rules.length }, rules }],
    states: [],
    logs: [],
    questions: Array.from({ length: MAX_QUESTIONS }, (_, number) => question(number)),
    counters: rules.length + 1,
    conntrack: false,
    effects: [],
  };
}

function compiled(policy: TablePolicy, shape?: Shape) {
  const { generation, diagnostics } = compileGeneration({
    policies: [policy],
    facts: FACTS,
    ...(shape === undefined ? {} : { shape }),
  });
  if (generation === undefined) throw new Error(diagnostics.map((item) => item.message).join('\n'));
  return { generation, hook: generation.hooks[0]! };
}

describe("the kernel's answers", () => {
  it('reach the rules as the evaluator has them', () => {
    const numbers = fc.uniqueArray(fc.nat(MAX_QUESTIONS - 1), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(numbers, fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }), fc.boolean(), (answers, yes, loop) => {
        const policy = policyOf(answers);
        const { generation, hook } = compiled(policy, loop ? LOOP : undefined);
        expect(hook.answers).toEqual([...answers].sort((a, b) => a - b));
        const simulation = createSimulation(generation, FACTS);
        const view = packetView({ family: 'ipv4', bytes: BYTES, answers: yes });
        const run = runHook(generation, hook, { view }, simulation);
        const { counted, verdict } = evaluate(policy, 'INPUT', view, createMemory(policy, FACTS.hz));
        expect(run.verdict).toBe(verdict);
        const grown = run.counters().flatMap(({ packets }, at) => (packets === 1n ? [at] : []));
        expect(grown).toEqual([...counted].sort((a, b) => a - b));
        // Used up, so that they do not speak for the next packet.
        const map = simulation.maps.get(MAP_NAMES.asked)!;
        const entries = map.kind === 'hash' ? hashKeys(map).map((key) => readElement(map, key)) : [];
        expect(entries.map((entry) => entry?.[0])).toEqual([0]);
      }),
      { numRuns: 40 },
    );
  });

  it('are noted by the programs of the chain', () => {
    const { generation } = compiled(policyOf([0]));
    const { machine, maps } = createSimulation(generation, FACTS);
    const run = (spec: Parameters<typeof linkProgram>[1], skb: bigint): bigint =>
      runProgram(machine, linkProgram(machine, spec, maps), [skb], BUDGET);
    const key = new Uint8Array(8);
    new DataView(key.buffer).setBigUint64(0, 0x1234n, true);
    const entry = (): bigint | undefined => {
      const value = readElement(maps.get(MAP_NAMES.asked)!, key);
      return value && BigInt(`0x${Buffer.from(value).reverse().toString('hex')}`) >> 64n;
    };
    run(answerProgram(5), 0x1234n);
    expect(entry()).toBeUndefined();
    run(askProgram(), 0x1234n);
    expect(entry()).toBe(0n);
    for (const number of [5, 64, 255]) expect(run(answerProgram(number), 0x1234n)).toBe(1n);
    expect(entry()).toBe((1n << 5n) | (1n << 64n) | (1n << 255n));
    run(askProgram(), 0x1234n);
    expect(entry()).toBe(0n);
  });

  it('take a map of their own, only where they are asked for', () => {
    expect(compiled(policyOf([3])).generation.maps).toContain(ASKED_MAP);
    expect(compiled(policyOf([])).generation.maps).not.toContain(ASKED_MAP);
  });
});
