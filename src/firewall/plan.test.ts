import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../bpf/reference-facts.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { Ruleset } from '../rules/model.ts';
import { type FamilyPlan, planFamily } from './plan.ts';

const TEXT = `*filter
:INPUT DROP [1:2]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:user - [0:0]
[3:4] -A INPUT -p tcp -m conntrack --ctstate NEW -j user
-A user -j REJECT --reject-with icmp-port-unreachable
-A user -j LOG --log-prefix "x "
COMMIT
*nat
:PREROUTING ACCEPT [5:6]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
[7:8] -A POSTROUTING -o eth9 -j MASQUERADE
COMMIT
`;

function ruleset(text: string): Ruleset {
  const { ruleset } = parseRuleset({ name: 'test', text }, 'ipv4');
  if (ruleset === undefined) throw new Error('the test has faulty rules');
  return ruleset;
}

function plan(text: string, counters = true) {
  const { plan, diagnostics } = planFamily(ruleset(text), REFERENCE_FACTS, { counters });
  expect(diagnostics).toEqual([]);
  if (plan === undefined) throw new Error('no plan');
  return plan;
}

describe('planFamily', () => {
  it('divides the tables between programs and kernel', () => {
    const { compiled, kernelTables, state } = plan(TEXT);
    expect(compiled.hooks.map(({ table, hook }) => `${table} ${hook}`)).toEqual([
      'filter INPUT',
      'filter FORWARD',
      'filter OUTPUT',
    ]);
    expect(kernelTables.map(({ name }) => name)).toEqual(['nat']);
    expect(kernelTables[0]?.text).toMatch(
      /^\*nat\n:PREROUTING ACCEPT \[5:6\]\n[^*]*\n\[7:8\] -A POSTROUTING [^*]*COMMIT\n$/,
    );
    expect(state).toMatchObject({ conntrack: true, log: true });
    expect(state.tables.map(({ name, placement }) => `${name} ${placement}`)).toEqual(['filter bpf', 'nat kernel']);
  });

  it('gives every rule and every policy a counter of its own', () => {
    const [filter] = plan(TEXT).state.tables;
    if (filter?.placement !== 'bpf') throw new Error('filter must run as programs');
    const indexes = filter.chains.flatMap((chain) => [
      ...chain.rules,
      ...(chain.policy === undefined ? [] : [chain.policy]),
    ]);
    expect([...indexes].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(filter.chains.map(({ name, bridge }) => `${name} ${bridge}`)).toEqual([
      'INPUT true',
      'FORWARD false',
      'OUTPUT false',
      'user true',
    ]);
    expect(filter.hooks.map(({ hook, reject }) => `${hook} ${reject.join()}`)).toEqual([
      'INPUT icmp-port-unreachable',
      'FORWARD ',
      'OUTPUT ',
    ]);
  });

  it('keeps the counters of the file only when asked', () => {
    expect(plan(TEXT).state.text).toContain('[3:4] -A INPUT');
    const zero = plan(TEXT, false);
    expect(zero.state.text.match(/\[\d+:\d+\]/g)?.every((item) => item === '[0:0]')).toBe(true);
    expect(zero.kernelTables[0]?.text).not.toContain('[7:8]');
  });

  it('is deterministic', () => {
    // A fallback is a function, which equals only itself; that it is made of the same policy the rest shows.
    const data = ({ compiled, ...rest }: FamilyPlan) => ({
      ...rest,
      compiled: {
        ...compiled,
        hooks: compiled.hooks.map(({ fallback, ...hook }) => ({ ...hook, fallback: typeof fallback })),
      },
    });
    expect(data(plan(TEXT))).toEqual(data(plan(TEXT)));
  });

  it('a file without tables needs nothing', () => {
    expect(plan('')).toMatchObject({ compiled: { hooks: [], maps: [] }, state: { tables: [], maps: [] } });
  });
});
