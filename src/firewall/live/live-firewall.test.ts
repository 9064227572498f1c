/** Changes of one rule in a namespace of the test's own: who makes them, what others see, what is left half done. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bpfilterFirewall } from '../../../test/support/bpfilter-firewall.ts';
import { ipBatch } from '../../../test/support/command.ts';
import type { Firewall } from '../../../test/support/firewalls.ts';
import { lineOf, liveRuleOf, liveText } from '../../../test/support/live-rules.ts';
import { DIFFERENTIAL, suite } from '../../../test/support/suite.ts';
import { openMapMemory } from '../../kernel/map-memory.ts';
import { openPinnedMap } from '../../kernel/object.ts';
import { parseRuleset } from '../../languages/iptables/parse.ts';
import { withExclusiveSession, withSession } from '../session.ts';
import { readGeneration } from '../store.ts';
import type { RuleEdit } from './in-place.ts';
import { JOURNAL_MAP, journalWriter } from './journal.ts';
import { type LiveFirewall, openLiveFirewall } from './live-firewall.ts';

const RULES = Array.from({ length: 120 }, (_, i) => lineOf(i, 'ipv4'));
const FRESH = '-s 192.0.2.1/32 -p tcp -m tcp --dport 7 -j DROP';

function insert(at: number, rule: string, chain = 'INPUT'): RuleEdit {
  return { table: 'filter', chain, at, kind: 'insert', rule: liveRuleOf(rule, 'ipv4') };
}

suite('live firewall', DIFFERENTIAL, () => {
  const namespace = `bfh-${process.pid}-lv`;
  let firewall: Firewall;
  let live: LiveFirewall;
  let other: LiveFirewall;

  beforeEach(() => {
    ipBatch([`netns add ${namespace}`]);
    firewall = bpfilterFirewall.open(namespace);
    [live, other] = [1, 2].map(() => openLiveFirewall({ family: 'ipv4', netns: namespace, waitSeconds: 10 })) as [
      LiveFirewall,
      LiveFirewall,
    ];
    const { ruleset } = parseRuleset({ name: 'rules', text: liveText({ INPUT: RULES, own: [] }) }, 'ipv4');
    live.apply(ruleset!, { counters: false });
  });

  afterEach(() => {
    live.close();
    other.close();
    firewall.close();
    ipBatch([`netns del ${namespace}`]);
  });

  const generation = (): number => withSession(namespace, ({ layout }) => readGeneration(layout));
  const lines = (): readonly string[] =>
    firewall
      .save('ipv4')
      .split('\n')
      .filter((line) => line.includes('-A INPUT'))
      .map((line) => line.replace(/^\S+ -A INPUT /, ''));

  it('changes memory without a new generation', () => {
    const before = lines();
    expect(live.change([insert(0, FRESH)]).how).toBe('memory');
    expect(live.change([{ table: 'filter', chain: 'INPUT', at: 5, kind: 'delete' }]).how).toBe('memory');
    expect(generation()).toBe(1);
    expect(lines()).toEqual([FRESH, ...before].toSpliced(5, 1));
  });

  it('makes several changes at once, those of one chain in memory', () => {
    const before = lines();
    const batch = [insert(0, FRESH), insert(0, '-s 192.0.2.2/32 -j DROP'), insert(3, '-s 192.0.2.3/32 -j DROP')];
    expect(live.change(batch).how).toBe('memory');
    expect(lines()).toEqual(
      [before[0]!, ...before.slice(1)]
        .toSpliced(0, 0, '-s 192.0.2.2/32 -j DROP', FRESH)
        .toSpliced(3, 0, '-s 192.0.2.3/32 -j DROP'),
    );
    expect(live.change([insert(0, FRESH), insert(0, FRESH, 'own')]).how).toBe('generation');
  });

  it('takes a new generation for what the programs cannot do, and goes on from there', () => {
    expect(live.change([insert(4, '-m length --length 40 -j DROP')]).how).toBe('generation');
    expect(lines()[4]).toBe('-m length --length 40 -j DROP');
    expect(live.change([insert(4, FRESH)]).how).toBe('memory');
    expect(live.change([insert(0, '-j ACCEPT')]).how).toBe('generation');
    expect(lines().slice(0, 1)).toEqual(['-j ACCEPT']);
  });

  it('notices what another process has changed', () => {
    expect(live.change([insert(0, FRESH)]).how).toBe('memory');
    expect(other.change([insert(0, '-s 192.0.2.2/32 -j DROP')]).how).toBe('generation');
    expect(other.change([insert(0, '-s 192.0.2.3/32 -j DROP')]).how).toBe('memory');
    expect(live.change([insert(0, '-s 192.0.2.4/32 -j DROP')]).how).toBe('generation');
    expect(lines().slice(0, 4)).toEqual([4, 3, 2].map((i) => `-s 192.0.2.${i}/32 -j DROP`).concat(FRESH));
  });

  it('stays warm when the other family gets new rules', () => {
    firewall.apply({ ipv6: '*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n' });
    expect(generation()).toBe(2);
    expect(live.change([insert(0, FRESH)]).how).toBe('memory');
    expect(lines()[0]).toBe(FRESH);
  });

  it('says what is not there, and changes nothing', () => {
    const before = firewall.save('ipv4');
    expect(() => live.change([{ table: 'filter', chain: 'INPUT', at: RULES.length, kind: 'delete' }])).toThrow(
      /no place/,
    );
    expect(() => live.change([insert(0, FRESH, 'nowhere')])).toThrow('no chain nowhere');
    expect(firewall.save('ipv4')).toBe(before);
  });

  it.each([
    ['not made', 1, 0],
    ['made', 0, 1],
  ] as const)('an entry whose store was %s', (_, difference, more) => {
    live.change([insert(0, FRESH)]);
    const before = lines();
    withExclusiveSession(namespace, 10, ({ layout }) => {
      const map = (name: string) => openPinnedMap(layout.generationMap(readGeneration(layout), 'ipv4', name));
      const [journal, region] = [map(JOURNAL_MAP), map('bf_run0')];
      const [entries, words] = [openMapMemory(journal), openMapMemory(region)];
      const active = new DataView(words.bytes.buffer, words.bytes.byteOffset).getUint32(0, true);
      journalWriter(entries.bytes).write({
        table: 'filter',
        chain: 'INPUT',
        edits: [{ kind: 'insert', at: 0, line: '[0:0] -A INPUT -s 192.0.2.9/32 -j DROP', counter: 70 }],
        store: { map: 'bf_run0', offset: 0, value: active + difference },
      });
      for (const one of [entries, words, journal, region]) one.close();
    });
    expect(lines()).toEqual(more === 1 ? ['-s 192.0.2.9/32 -j DROP', ...before] : before);
    // The next writer makes a whole generation of what was found.
    expect(live.change([insert(0, '-s 192.0.2.4/32 -j DROP')]).how).toBe('generation');
    expect(lines()).toHaveLength(before.length + 1 + more);
  });
});
