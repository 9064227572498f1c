/** Chains run by look-ups against chains run rule by rule: same verdict, counters, logs, and the same use of stateful tests. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterPolicy, packetsFor, policiesOf, randomRulesetText, randomTraffic } from '../../test/generate/index.ts';
import { FAMILIES, type Family, type Hook } from '../packet/netfilter.ts';
import { type Evaluation, evaluate, evaluateExpr } from '../policy/evaluate.ts';
import type { Condition, TablePolicy } from '../policy/ir.ts';
import { createMemory, type PolicyMemory, runStateful } from '../policy/memory.ts';
import { type PacketView, readField } from '../policy/packet-view.ts';
import { buildClassifier, type Choice, type Classifier, lookup } from './classifier.ts';
import { dimensionValue } from './dimension.ts';
import { EXTRACT_OPTIONS, type ExtractOptions, extractRuns, type Run, type Segment } from './extract.ts';
import { firstRowOf } from './rows.ts';

interface Chain {
  readonly segments: readonly Segment[];
  readonly classifiers: ReadonlyMap<Run, Classifier>;
}

function prepare(policy: TablePolicy, options: ExtractOptions, choice: Choice): readonly Chain[] {
  return policy.chains.map(({ rules }) => {
    const segments = extractRuns(rules, options);
    const runs = segments.filter((segment) => segment.kind === 'run');
    return { segments, classifiers: new Map(runs.map((run) => [run, buildClassifier(run.rows, choice)])) };
  });
}

type Outcome = 'match' | 'no match' | 'hotdrop' | 'doomed';

function runConditions(list: readonly Condition[], packet: PacketView, memory: PolicyMemory): Outcome {
  let doomed = false;
  for (const condition of list) {
    if (condition.kind === 'stateful') {
      const answer = runStateful(condition.test, memory, packet);
      if (answer === 'hotdrop') return answer;
      if (answer === condition.invert) return doomed ? 'hotdrop' : 'no match';
      continue;
    }
    const holds = evaluateExpr(condition.expr, packet);
    if (condition.kind === 'doom') doomed ||= holds;
    else if (condition.kind === 'hotdrop' && holds) return 'hotdrop';
    else if (condition.kind === 'require' && !holds) return doomed ? 'hotdrop' : 'no match';
  }
  return doomed ? 'doomed' : 'match';
}

/** The next rule that matches from `from` on: its index, the number of rules when there is none. */
function nextMatch(
  policy: TablePolicy,
  chains: readonly Chain[],
  number: number,
  from: number,
  packet: PacketView,
  memory: PolicyMemory,
): number | 'hotdrop' | { readonly doomed: number } {
  const { rules } = policy.chains[number]!;
  const { segments, classifiers } = chains[number]!;
  for (const segment of segments) {
    if (segment.to <= from) continue;
    const run = segment.kind === 'run' && !evaluateExpr(segment.broken, packet) ? segment : undefined;
    const key = Uint32Array.from(run?.dimensions ?? [], (d) => dimensionValue(d, readField(packet, d.field)));
    for (let at = Math.max(from, segment.from); at < segment.to; at++) {
      let conditions = rules[at]!.conditions;
      if (run !== undefined) {
        const row = lookup(classifiers.get(run)!, key, firstRowOf(run.rows, at - run.from));
        if (row < 0) break;
        at = run.from + run.rows.entry[row]!;
        conditions = run.residual.get(at) ?? [];
      }
      const outcome = runConditions(conditions, packet, memory);
      if (outcome === 'match') return at;
      if (outcome === 'doomed') return { doomed: at };
      if (outcome === 'hotdrop') return outcome;
    }
  }
  return rules.length;
}

function evaluateByLookups(
  policy: TablePolicy,
  chains: readonly Chain[],
  hook: Hook,
  packet: PacketView,
  memory: PolicyMemory,
): Evaluation {
  const counted: number[] = [];
  const logs: number[] = [];
  const base = policy.chains.findIndex((chain) => chain.base?.hook === hook);
  if (base < 0) return { verdict: 'accept', hotdrop: false, counted, logs, effects: [] };
  const stack: { chain: number; rule: number }[] = [];
  let at = { chain: base, rule: 0 };
  for (;;) {
    const found = nextMatch(policy, chains, at.chain, at.rule, packet, memory);
    if (found === 'hotdrop') return { verdict: 'drop', hotdrop: true, counted, logs, effects: [] };
    if (typeof found === 'object') {
      const { counter, action } = policy.chains[at.chain]!.rules[found.doomed]!;
      counted.push(counter);
      if (action.kind === 'log') logs.push(action.log);
      const reject = action.kind === 'reject' ? { reject: action.with } : {};
      return { verdict: 'drop', ...reject, hotdrop: true, counted, logs, effects: [] };
    }
    const rule = policy.chains[at.chain]!.rules[found];
    if (rule !== undefined) counted.push(rule.counter);
    const behind = { chain: at.chain, rule: found + 1 };
    const action = rule?.action ?? { kind: 'return' };
    switch (action.kind) {
      case 'accept':
      case 'drop':
        return { verdict: action.kind, hotdrop: false, counted, logs, effects: [] };
      case 'reject':
        return { verdict: 'drop', reject: action.with, hotdrop: false, counted, logs, effects: [] };
      case 'effect':
        throw new Error('random policies have no effects');
      case 'log':
        logs.push(action.log);
        at = behind;
        break;
      case 'continue':
        at = behind;
        break;
      case 'jump':
        stack.push(behind);
        at = { chain: action.chain, rule: 0 };
        break;
      case 'goto':
        at = { chain: action.chain, rule: 0 };
        break;
      case 'return': {
        const back = stack.pop();
        if (back === undefined) {
          const end = policy.chains[base]!.base!;
          counted.push(end.counter);
          return { verdict: end.policy, hotdrop: false, counted, logs, effects: [] };
        }
        at = back;
      }
    }
  }
}

function compareAll(
  policy: TablePolicy,
  packets: readonly { readonly hook: Hook; readonly packet: PacketView }[],
  options: ExtractOptions,
  choice: Choice,
): void {
  const chains = prepare(policy, options, choice);
  const expected = createMemory(policy, 250);
  const actual = createMemory(policy, 250);
  for (const { hook, packet } of packets) {
    expect(evaluateByLookups(policy, chains, hook, packet, actual)).toEqual(evaluate(policy, hook, packet, expected));
  }
  expect(actual).toEqual(expected);
}

const OPTIONS = fc.record({
  minRules: fc.constantFrom(1, 2, 5),
  maxAxes: fc.constantFrom(1, 3, 12),
  maxRowsPerRule: fc.constantFrom(1, 4, 64),
});
const CHOICE = fc.constantFrom<Choice>('auto', 'trees', 'hashes', 'ordered', 'linear');

function hooksOf(policy: TablePolicy): readonly Hook[] {
  return policy.chains.flatMap((chain) => (chain.base === undefined ? [] : [chain.base.hook]));
}

describe.each(FAMILIES)('%s', (family: Family) => {
  it('random rule sets, random traffic and packets made for them', () => {
    fc.assert(
      fc.property(
        randomRulesetText(family),
        randomTraffic(family),
        OPTIONS,
        CHOICE,
        (text, traffic, options, choice) => {
          for (const policy of policiesOf(text, family)) {
            const random = hooksOf(policy).flatMap((hook) => traffic.map((packet) => ({ hook, packet })));
            compareAll(policy, [...random, ...packetsFor(policy, { limit: 60 })], options, choice);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a chain of many rules', () => {
  const lines = Array.from({ length: 200 }, (_, i) => {
    const source = `-s 10.${i % 7}.${i}.0/${20 + (i % 9)}`;
    const ports = ['--dport 80', '--dport 1000:2000', '! --dport 22', '--sport 53'][i % 4];
    const tail = ['-j DROP', '-j ACCEPT', '', '-m limit --limit 1/s -j ACCEPT', '-j LOG'][i % 5];
    return `-A INPUT ${source} -p ${i % 3 === 0 ? 'udp -m udp' : 'tcp -m tcp'} ${ports} ${tail}`;
  });

  it('keeps guards, counting rules and limits exact', () => {
    const policy = filterPolicy('ipv4', ...lines);
    const chain = policy.chains.find(({ base }) => base?.hook === 'INPUT')!;
    const segments = extractRuns(chain.rules, EXTRACT_OPTIONS);
    expect(segments.map(({ kind }) => kind)).toEqual(['run']);
    compareAll(policy, packetsFor(policy, { limit: 1500 }), EXTRACT_OPTIONS, 'trees');
  });

  it('is parted by rules that ask nothing and do not end it', () => {
    const policy = filterPolicy(
      'ipv4',
      ...lines.slice(0, 100),
      '-A INPUT -m limit --limit 5/s -j LOG',
      ...lines.slice(100),
    );
    const chain = policy.chains.find(({ base }) => base?.hook === 'INPUT')!;
    expect(extractRuns(chain.rules).map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ['run', 0, 100],
      ['linear', 100, 101],
      ['run', 101, 201],
    ]);
    compareAll(policy, packetsFor(policy, { limit: 600 }), EXTRACT_OPTIONS, 'auto');
  });
});
