import { describe, expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../bpf/reference-facts.ts';
import { parseRuleset } from '../../languages/iptables/parse.ts';
import { printRuleset } from '../../languages/iptables/print.ts';
import { planFamily } from '../plan.ts';
import type { JournalEntry } from './journal.ts';
import { replay } from './replay.ts';

const TEXT = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:own - [0:0]
-A INPUT -p tcp -j own
-A INPUT -p udp -j DROP
-A own -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
`;

function line(chain: string, rule: string): string {
  return `[0:0] -A ${chain} ${rule}`;
}

describe('replay', () => {
  const { ruleset } = parseRuleset({ name: 'rules', text: TEXT }, 'ipv4');
  const { plan } = planFamily(ruleset!, REFERENCE_FACTS, { counters: false });
  const state = { ...plan!.state, madeBy: 1 };
  const countersOf = (entries: readonly JournalEntry[]) =>
    replay(ruleset!, state, entries).state.tables.flatMap((table) =>
      table.placement === 'bpf' ? table.chains.filter(({ rules }) => rules.length > 0).map(({ rules }) => rules) : [],
    );
  const entries: readonly JournalEntry[] = [
    {
      table: 'filter',
      chain: 'INPUT',
      edits: [{ kind: 'insert', at: 1, line: line('INPUT', '-s 10.0.0.1/32 -j DROP'), counter: 90 }],
    },
    { table: 'filter', chain: 'own', edits: [{ kind: 'replace', at: 0, line: line('own', '-j RETURN'), counter: 91 }] },
    {
      table: 'filter',
      chain: 'INPUT',
      edits: [
        { kind: 'delete', at: 2 },
        { kind: 'insert', at: 2, line: line('INPUT', '-s 10.0.0.2/32'), counter: 92 },
      ],
    },
  ];

  it('changes nothing without entries', () => {
    expect(replay(ruleset!, state, []).ruleset).toBe(ruleset);
  });

  it('carries out what was written, chain by chain', () => {
    const after = replay(ruleset!, state, entries).ruleset;
    expect(printRuleset(after, { counters: false })).toBe(`*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:own - [0:0]
-A INPUT -p tcp -j own
-A INPUT -s 10.0.0.1/32 -j DROP
-A INPUT -s 10.0.0.2/32
-A own -j RETURN
COMMIT
`);
  });

  it('leaves the counters of other rules where they were', () => {
    const [input, own] = countersOf([]);
    expect(countersOf(entries)).toEqual([[input![0], 90, 92], [91]]);
    expect(own).toHaveLength(1);
  });

  it('refuses entries of another rule set', () => {
    expect(() => replay(ruleset!, state, [{ table: 'filter', chain: 'gone', edits: [] }])).toThrow('gone');
  });
});
