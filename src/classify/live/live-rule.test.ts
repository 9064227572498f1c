import { describe, expect, it } from 'vitest';
import { between, conditions, equals, hotdrop, masked, require } from '../../policy/expr.ts';
import type { Condition, PolicyRule } from '../../policy/ir.ts';
import { extractRuns } from '../extract.ts';
import { buildRunTable, type RunTable } from '../run-table.ts';
import { boxOf } from './live-rows.ts';
import { liveRule } from './live-rule.ts';
import { liveRunOf } from './live-source.ts';
import { lookupRegion } from './read.ts';
import { payloadOffset } from './transaction.ts';

function rule(index: number, ...more: readonly Condition[]): PolicyRule {
  const address = 0x0a000000 + index * 7;
  return {
    conditions: conditions(require(masked('ip.saddr', address, 0xffffffff)), ...more),
    action: { kind: index % 3 === 0 ? 'accept' : 'drop' },
    counter: index,
    provenance: { chain: 'INPUT', rule: index + 1 },
  };
}

function tcp(index: number, port: number): PolicyRule {
  return rule(
    index,
    require(equals('ip.protocol', 6)),
    require(equals('ip.fragOffset', 0)),
    hotdrop(between('transport.length', 0, 19)),
    require(between('transport.dport', port, port + index)),
  );
}

const RULES = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? rule(i) : tcp(i, 100 * (i % 50))));

function table(rules: readonly PolicyRule[]): RunTable {
  const [run] = extractRuns(rules);
  if (run?.kind !== 'run') throw new Error('one run was expected');
  const built = buildRunTable(rules, run, { choice: 'trees', counterOffset: ({ counter }) => counter! * 16 });
  if (built === undefined) throw new Error('a table was expected');
  return built;
}

describe('a rule for a program that is there', () => {
  it('has the boxes and guards that it had from the beginning', () => {
    const { shape, rows, payload, parts } = table(RULES);
    const guardOf = (row: number): number => {
      const place = parts.find(({ part }) => part.list.includes(row))!.place;
      return shape.guards.findIndex(({ from, to }) => from <= place && place < to);
    };
    const all = Array.from({ length: rows.count }, (_, row) => row);
    RULES.forEach((one, entry) => {
      const own = all.filter((row) => rows.entry[row] === entry);
      const live = liveRule(one, shape, one.counter! * 16)!;
      expect(live.boxes).toEqual(own.filter((row) => guardOf(row) < 0).map((row) => boxOf(rows, row)));
      const guarded = own.filter((row) => guardOf(row) >= 0);
      expect(live.guards!.flatMap(({ guard, boxes }) => boxes.map((box) => ({ guard, box })))).toEqual(
        guarded.map((row) => ({ guard: guardOf(row), box: boxOf(rows, row) })),
      );
      const row = own.find((candidate) => guardOf(candidate) < 0)!;
      expect(live.action).toBe(payload.action[row]);
      expect(live.final).toBe(rows.final[row] === 1);
    });
  });

  it('is none when it asks what the program does not know, or does what it cannot', () => {
    const { shape } = table(RULES);
    const foreign: readonly PolicyRule[] = [
      rule(900, require(equals('meta.mark', 1))),
      { ...rule(901), action: { kind: 'reject', with: 'icmp-port-unreachable' } },
      { ...rule(902), action: { kind: 'jump', chain: 1 } },
      // Between the boundaries of a rank.
      rule(903, require(equals('ip.protocol', 17))),
      rule(904, require(equals('ip.protocol', 6)), hotdrop(between('transport.length', 0, 3))),
    ];
    for (const one of foreign) expect(liveRule(one, shape, 0)).toBeUndefined();
    expect(liveRule(rule(905), shape, 0)).toBeDefined();
  });

  it('goes into the run, and out again', () => {
    const built = table(RULES);
    const live = liveRunOf(built);
    const added = tcp(901, 80);
    const what = liveRule(added, built.shape, 901 * 16)!;
    const key = Uint32Array.from(what.boxes[0]!, ([lo]) => lo);
    const counter = (): number => {
      const places = live.places.filter(({ group }) => group === 0);
      const { row } = lookupRegion(live.region, live.layout, live.rows.plan, places, key);
      return row < 0 ? -1 : live.region[payloadOffset(row) / 4 + 1]!;
    };
    expect(counter()).toBe(-1);
    const change = live.change([{ kind: 'insert', rule: what, before: 0 }]);
    if (change.kind === 'full') throw new Error(change.why);
    expect(counter()).toBe(901 * 16);
    live.change([{ kind: 'remove', id: change.ids[0]! }]);
    expect(counter()).toBe(-1);
  });
});
