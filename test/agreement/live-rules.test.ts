/**
 * Rules that are put in and taken out by changing memory alone: the program made for the old rules, in the virtual machine, against the
 * reference evaluator of the new ones.
 */
import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import type { Choice } from '../../src/classify/classifier.ts';
import type { Change, Edit } from '../../src/classify/live/change.ts';
import { liveRule } from '../../src/classify/live/live-rule.ts';
import { liveRunOf } from '../../src/classify/live/live-source.ts';
import { MAP_NAMES } from '../../src/codegen/compiled.ts';
import { type LookupOptions, planRuns } from '../../src/codegen/netfilter/lookup/plan.ts';
import { createSimulation, runHook } from '../../src/codegen/netfilter/simulate.ts';
import type { TablePolicy } from '../../src/policy/ir.ts';
import { filterPolicy, packetsFor } from '../generate/index.ts';
import { compile, compiledHook, createOracle } from './cases.ts';

const CHOICES = ['trees', 'hashes', 'auto'] as const satisfies readonly Choice[];
const HOOK = 'INPUT';

/** Addresses, prefixes, ports, and now and then something wide. */
function line(i: number): string {
  const source = [`-s 10.${i % 7}.${i % 251}.${i % 13}`, `-s 10.${i % 7}.${i % 251}.0/24`, `-s 10.${i % 5}.0.0/16`][
    i % 3
  ];
  const ports = [`--dport ${i % 90}`, `--dport ${i % 60}:${(i % 60) + 40}`, '--sport 53'][i % 5 > 2 ? 2 : i % 2];
  const target = i % 4 === 0 ? 'ACCEPT' : 'DROP';
  if (i % 11 === 0) return `-A INPUT ${source} -j ${target}`;
  return `-A INPUT ${i % 17 === 0 ? '' : source} -p ${i % 6 === 0 ? 'udp -m udp' : 'tcp -m tcp'} ${ports} -j ${target}`;
}

function policyOf(lines: readonly string[]): TablePolicy {
  return filterPolicy('ipv4', ...lines);
}

describe.each(CHOICES)('rules changed in memory: %s', (choice) => {
  it('the old program filters by the new rules', () => {
    const lookups: LookupOptions = { choice, extract: { minRules: 8, maxAxes: 12, maxRowsPerRule: 64 } };
    let lines = Array.from({ length: 150 }, (_, i) => line(i));
    const first = policyOf(lines);
    const generation = compile([first], REFERENCE_FACTS, lookups);
    const simulation = createSimulation(generation, REFERENCE_FACTS);
    const name = `${MAP_NAMES.run}0`;
    const chain = first.chains.findIndex(({ rules }) => rules.length > 0);
    const segments = planRuns(
      first,
      () => 0,
      () => name,
      lookups,
    ).get(chain)!;
    const [segment] = segments;
    if (segments.length !== 1 || segment?.kind !== 'run') throw new Error('one run was expected');
    const live = liveRunOf(segment.table);
    const map = simulation.maps.get(name)!;
    if (map.kind !== 'array') throw new Error('an array was expected');
    const memory = map.values.bytes;
    memory.set(new Uint8Array(live.region.buffer));
    const ids = lines.map((_, id) => id);
    const hook = compiledHook(generation, first, HOOK)!;

    const bring = (edits: readonly Edit[]): Change => {
      const change = live.change(edits);
      if (change.kind === 'full') throw new Error(`${change.why} ${JSON.stringify(live.status())}`);
      for (const { offset, bytes } of change.writes) memory.set(bytes, offset);
      new DataView(memory.buffer, memory.byteOffset).setUint32(change.commit.offset, change.commit.value, true);
      live.release(change.number);
      return change;
    };
    for (let round = 0; round < 24; round++) {
      const at = (round * 37) % lines.length;
      if (round % 3 === 2) {
        bring([{ kind: 'remove', id: ids[at]! }]);
        ids.splice(at, 1);
        lines = lines.toSpliced(at, 1);
      } else {
        lines = lines.toSpliced(at, 0, line(200 + 31 * round));
        const rule = policyOf(lines).chains[chain]!.rules[at]!;
        const what = liveRule(rule, segment.table.shape, 0);
        if (what === undefined) {
          lines = lines.toSpliced(at, 1);
          continue;
        }
        ids.splice(at, 0, bring([{ kind: 'insert', rule: what, before: ids[at]! }]).ids[0]!);
      }
      if (round % 4 !== 3) continue;
      const policy = policyOf(lines);
      const oracle = createOracle(policy, REFERENCE_FACTS.hz);
      for (const { packet } of packetsFor(policy, { limit: 120 })) {
        const { verdict } = runHook(generation, hook, { view: packet }, simulation);
        expect(verdict).toBe(oracle.run(HOOK, packet).verdict);
      }
    }
    expect(ids.length).toBeGreaterThan(150);
  });
});
