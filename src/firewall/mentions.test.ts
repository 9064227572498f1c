import { describe, expect, it } from 'vitest';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { mentionsIn, missingSets } from './mentions.ts';

const TEXT = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m set ! --match-set one src -m set --match-set two src,dst -j DROP
-A INPUT -m bpf --object-pinned /sys/fs/bpf/p -j SET --add-set three src --del-set four dst
COMMIT
`;

describe('names of the machine', () => {
  const { ruleset } = parseRuleset({ name: 'test', text: TEXT }, 'ipv4');

  it('are found in matches and targets', () => {
    const found = mentionsIn(ruleset!).map(({ kind, name }) => `${kind} ${name}`);
    expect(found.sort()).toEqual(['program /sys/fs/bpf/p', 'set four', 'set one', 'set three', 'set two']);
  });

  it('that do not exist are errors with their place', () => {
    const facts = { type: 'hash:ip', counters: false, completes: false };
    const sets = new Map(['one', 'three', 'four'].map((name) => [name, facts]));
    const [missing, ...rest] = missingSets(ruleset!, { sets, programs: new Map() });
    expect(rest).toEqual([]);
    expect(missing).toMatchObject({ code: 'no-such-set', message: 'there is no set "two"' });
    expect(TEXT.slice(missing!.span!.start, missing!.span!.end)).toContain('set');
  });
});
