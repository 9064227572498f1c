/** Rules changed one at a time, in memory and by generations, beside iptables doing the same: packets, counters and texts stay equal. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { RuleEdit } from '../../src/firewall/live/in-place.ts';
import { type LiveFirewall, openLiveFirewall } from '../../src/firewall/live/live-firewall.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { lowerTable } from '../../src/lowering/lower-table.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { SEED, SOAKING } from '../support/budget.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { LIVE_CHAINS, type LiveChainName, lineOf, liveRuleOf, liveText, OTHER_RULES } from '../support/live-rules.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { directedPhases } from './directed.ts';
import { routeOf } from './route.ts';
import { buildSide, differences, type Observation, type Side } from './twin.ts';

const STEPS = SOAKING ? 1000 : 60;
const PACKETS = 60;
/** Changes without a look at the packets after each. */
const MANY = SOAKING ? 20_000 : 2400;
const CHECK = 200;
/** So many that both chains become look-ups. */
const RULES = { ipv4: 90, ipv6: 400 } as const;
const DEVICES = ['eth0', 'eth1'] as const;
const COMMAND = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const;

function randomNumbers(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number((state >> 33n) % BigInt(below));
  };
}

/** bpfilter whose rules are changed through a live firewall, and that firewall. */
function liveKind(family: Family): { readonly kind: FirewallKind; readonly live: () => LiveFirewall } {
  let live: LiveFirewall | undefined;
  const get = (): LiveFirewall => {
    if (live === undefined) throw new Error('not open');
    return live;
  };
  const kind: FirewallKind = {
    label: 'live bpfilter',
    open(namespace) {
      const whole = bpfilterFirewall.open(namespace);
      live = openLiveFirewall({ family, netns: namespace, waitSeconds: 10 });
      return {
        ...whole,
        apply(sets) {
          const { ruleset } = parseRuleset({ name: 'rules', text: sets[family]! }, family);
          get().apply(ruleset!, { counters: false });
        },
        close() {
          live?.close();
          whole.close();
        },
      };
    },
  };
  return { kind, live: get };
}

function both(
  sides: readonly Side[],
  chains: Readonly<Record<LiveChainName, readonly string[]>>,
  family: Family,
): void {
  const { ruleset } = parseRuleset({ name: 'now', text: liveText(chains) }, family);
  const { policy } = lowerTable(ruleset!.tables[0]!, family);
  for (const phase of directedPhases([policy!], DEVICES, PACKETS)) {
    const route = routeOf(phase);
    for (const side of sides) {
      side.topology.deliver(route);
      for (const stimulus of phase.stimuli) side.send(stimulus);
      side.settle();
    }
  }
}

/** iptables lets the counters of policies begin anew with each change; ours go on. What counts is what they have counted since. */
function sincePolicies(observed: Observation, before: string, family: Family): Observation {
  const start = new Map([...before.matchAll(POLICY)].map(([, chain, packets, bytes]) => [chain, [packets!, bytes!]]));
  const text = observed.saved[family].replace(POLICY, (_, chain: string, packets: string, bytes: string) => {
    const [p = '0', b = '0'] = start.get(chain) ?? [];
    return `:${chain} [${BigInt(packets) - BigInt(p)}:${BigInt(bytes) - BigInt(b)}]`;
  });
  return { ...observed, saved: { ...observed.saved, [family]: text } };
}

const POLICY = /^:(\S+ \S+) \[(\d+):(\d+)\]/gm;

suite('rules changed one at a time', DIFFERENTIAL, () => {
  it(`${MANY} changes while look-ups are put in order in the background`, async () => {
    const { kind, live } = liveKind('ipv4');
    const next = randomNumbers(SEED);
    const chains: Record<LiveChainName, string[]> = {
      INPUT: Array.from({ length: 900 }, (_, i) => lineOf(i, 'ipv4')),
      own: [],
    };
    const sets = { ipv4: liveText(chains) };
    const left = buildSide(kind, sets, { devices: DEVICES });
    const right = buildSide(kernelFirewall, sets, { devices: DEVICES });
    let [memory, compactions] = [0, 0];
    try {
      const list = chains.INPUT;
      for (let step = 1; step <= MANY; step++) {
        const what = next(5);
        const at = next(list.length);
        const where = { table: 'filter', chain: 'INPUT', at } as const;
        const rule = lineOf(1000 + next(3000), 'ipv4').replace(/"number (\d+)"/, 'number$1');
        const removes = what > 1;
        const inserts = what < 2 || what === 4;
        const parsed = inserts ? liveRuleOf(rule, 'ipv4') : undefined;
        const edit: RuleEdit =
          parsed === undefined
            ? { ...where, kind: 'delete' }
            : { ...where, kind: removes ? 'replace' : 'insert', rule: parsed };
        const before = live().compactions;
        if (live().change([edit]).how === 'memory') memory++;
        compactions += Math.max(0, live().compactions - before);
        list.splice(at, removes ? 1 : 0, ...(inserts ? [rule] : []));
        const until = live().compactions;
        // Now and then nobody changes anything for a while, be something under way or not.
        await setImmediate();
        if (next(40) === 0) await setTimeout(next(30));
        compactions += live().compactions - until;
        if (step % 100 === 37) live().compact();
        if (step % CHECK !== 0) continue;
        // The twin goes on from the same rules with the same counters.
        withNamespace(right.topology.namespace, () =>
          run('iptables-legacy-restore', ['-c'], left.firewall.save('ipv4')),
        );
        both([left, right], chains, 'ipv4');
        const [ours, theirs] = [left, right].map((side) => side.observe([]));
        expect(differences(ours!, theirs!), `step ${step}`).toEqual([]);
      }
      await live().idle();
    } finally {
      left.close();
      right.close();
    }
    console.log(`${memory} changes in memory, put in order ${compactions} times`);
    expect(memory).toBeGreaterThan(MANY * 0.8);
    expect(compactions).toBeGreaterThan(3);
  }, 600_000);

  it.each(FAMILIES)(
    `%s: ${STEPS} changes, as iptables makes them`,
    async (family) => {
      const { kind, live } = liveKind(family);
      const next = randomNumbers(SEED);
      const chains: Record<LiveChainName, string[]> = {
        INPUT: Array.from({ length: RULES[family] }, (_, i) => lineOf(i, family)),
        own: Array.from({ length: RULES[family] / 2 }, (_, i) => lineOf(500 + i, family)),
      };
      chains.INPUT.splice(50, 0, '-p udp -j own');
      const sets = { [family]: liveText(chains) };
      const tally = { memory: 0, generation: 0 };
      const body = async (left: Side, right: Side): Promise<void> => {
        const iptables = (...words: readonly string[]): string =>
          withNamespace(right.topology.namespace, () =>
            run(COMMAND[family], words, '', { XTABLES_LOCKFILE: '/run/bpfilter-test.lock' }),
          );
        for (let step = 0; step < STEPS; step++) {
          const chain = LIVE_CHAINS[next(4) === 0 ? 1 : 0];
          const list = chains[chain];
          const rule = next(15) === 0 ? OTHER_RULES[next(chain === 'own' ? 3 : 4)]! : lineOf(1000 + next(500), family);
          const what = next(6);
          const at = what === 0 ? 0 : what === 1 ? list.length : next(list.length);
          const where = { table: 'filter', chain, at } as const;
          let edit: RuleEdit;
          // The command line is split at blanks: its comments have none.
          const words = rule.replace(/"number (\d+)"/, 'number$1').split(' ');
          const parsed = liveRuleOf(words.join(' '), family);
          if (what <= 2) {
            edit = { ...where, kind: 'insert', rule: parsed };
            iptables('-I', chain, String(at + 1), ...words);
            list.splice(at, 0, words.join(' '));
          } else if (what <= 4 || list[at] === '-p udp -j own') {
            edit = { ...where, kind: 'delete' };
            iptables('-D', chain, String(at + 1));
            list.splice(at, 1);
          } else {
            edit = { ...where, kind: 'replace', rule: parsed };
            iptables('-R', chain, String(at + 1), ...words);
            list.splice(at, 1, words.join(' '));
          }
          const { how } = live().change([edit]);
          tally[how]++;
          if (step % 7 === 6) await live().idle();
          if (step % 10 === 9) live().compact();
          const before = [left, right].map((side) => side.firewall.save(family));
          both([left, right], chains, family);
          const [ours, theirs] = [left, right].map((side, index) =>
            sincePolicies(side.observe([]), before[index]!, family),
          );
          expect(
            differences(ours!, theirs!),
            `step ${step}: ${what} at ${at} of ${chain}, ${how}: ${words.join(' ')}`,
          ).toEqual([]);
        }
      };
      const left = buildSide(kind, sets, { devices: DEVICES });
      try {
        const right = buildSide(kernelFirewall, sets, { devices: DEVICES });
        try {
          await body(left, right);
        } finally {
          right.close();
        }
      } finally {
        left.close();
      }
      console.log(`${family}: ${tally.memory} changes in memory, ${tally.generation} by a generation`);
      expect(tally.memory).toBeGreaterThan(tally.generation);
    },
    600_000,
  );
});
