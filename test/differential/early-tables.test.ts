/** Early drop behind table raw beside the kernel's iptables: received, forwarded by rules of routing, tracked; every counter of every table. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { MATCH_NAMES, randomRulesetText } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { UNIVERSE } from '../generate/universe.ts';
import { bpfilterEarly, earlyDropsSoFar } from '../support/bpfilter-firewall.ts';
import { budgetMs, SEED } from '../support/budget.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { directedPhases } from './directed.ts';
import { allFlows, ENDS } from './flows.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, INPUT, type Phase } from './stimulus.ts';

const DEVICES = ['eth0', 'eth1'];
/** u32 could read what each namespace chooses for itself, such as the identification of a packet that it sends. */
const MATCHES = MATCH_NAMES.filter((name) => name !== 'u32');
const options = { left: kernelFirewall, right: bpfilterEarly, devices: DEVICES };

/** Tables as `table: rules`, policies ACCEPT. */
function text(tables: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(tables)
    .map(([table, rules]) => `*${table}\n${rules.join('\n')}\nCOMMIT\n`)
    .join('');
}

const hops = (family: Family): string => (family === 'ipv4' ? '-m ttl --ttl' : '-m hl --hl');

const RULES: Readonly<Record<string, (family: Family) => string>> = {
  'all tables count': (family) =>
    text({
      raw: ['-A PREROUTING -p udp', '-A PREROUTING -p tcp -m tcp --dport 1:100 -j ACCEPT'],
      mangle: [
        ':x - [0:0]',
        '-A PREROUTING -j x',
        '-A x -p udp -j RETURN',
        '-A x -i eth0',
        '-A INPUT -p udp',
        '-A FORWARD -p udp -m udp --dport 53 -j ACCEPT',
        `-A FORWARD ${hops(family)}-lt 5 -j DROP`,
        `-A FORWARD ${hops(family)}-gt 60`,
      ],
      filter: [
        ':log - [0:0]',
        '-A INPUT -p udp -j DROP',
        '-A FORWARD -i eth0 -o eth1 -p udp -j log',
        '-A FORWARD -o eth0 -p tcp -j DROP',
        '-A log -p udp -m udp --dport 53 -j DROP',
      ],
      security: ['-A FORWARD -p udp -j DROP', '-A INPUT -p tcp -j DROP'],
    }),
  connections: () =>
    text({
      mangle: ['-A PREROUTING -p udp -m udp --dport 9 -j DROP', '-A PREROUTING -m conntrack --ctstate NEW'],
      filter: [
        ':INPUT DROP [0:0]',
        '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A INPUT -m conntrack --ctstate INVALID -j DROP',
        '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
        '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A FORWARD -m conntrack --ctstate NEW -p tcp -m tcp --dport 80 -j ACCEPT',
        '-A FORWARD -i eth0 -p tcp -j DROP',
        '-A FORWARD -p udp -m udp --dport 9999 -j DROP',
      ],
    }),
  'nat in the kernel': () =>
    text({
      mangle: ['-A PREROUTING -p udp -m udp --sport 1000:2000 -j DROP'],
      nat: ['-A PREROUTING -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353'],
      filter: ['-A INPUT -p udp -j DROP', '-A FORWARD -p tcp -j DROP'],
    }),
  'rules that answer, log and remember': () =>
    text({
      mangle: [
        '-A FORWARD -p tcp -m limit --limit 1/hour --limit-burst 3',
        '-A PREROUTING -p icmp -j MARK --set-mark 1',
      ],
      filter: [
        '-A INPUT -p tcp -m tcp --dport 1:1000 -j REJECT',
        '-A INPUT -p udp -j NFLOG',
        '-A INPUT -j DROP',
        '-A FORWARD -p udp -j DROP',
        '-A FORWARD -p tcp -j DROP',
      ],
    }),
};

/** Nothing is made for the kernel's own table. */
const withoutNat = (rules: string): string => rules.replace(/\*nat\n.*?COMMIT\n/s, '');

function phasesFor(family: Family, rules: string, limit: number): readonly Phase[] {
  return [
    ...directedPhases(policiesOf(withoutNat(rules), family), DEVICES, limit),
    { path: FORWARD, stimuli: [...allFlows(ENDS[family]), ...nastyStimuli(1)] },
    { path: INPUT, stimuli: [...allFlows(ENDS[family]), ...nastyStimuli(DEVICES.length)] },
  ];
}

suite('early drop behind table raw, beside iptables', DIFFERENTIAL, () => {
  const cases = FAMILIES.flatMap((family) =>
    Object.entries(RULES).map(([name, rules]) => ({
      family,
      name,
      rules: family === 'ipv4' ? rules(family) : rules(family).replaceAll('-p icmp ', '-p ipv6-icmp '),
    })),
  );
  it.each(cases)('$family: $name', ({ family, rules }) => {
    const before = earlyDropsSoFar();
    expect(compare({ [family]: rules }, phasesFor(family, rules, 300), options)).toBeUndefined();
    expect(earlyDropsSoFar() - before).toBeGreaterThan(0);
  });

  it.each(FAMILIES)('%s: random rule sets', (family) => {
    const deadline = performance.now() + budgetMs(20, 0.4);
    const rules = randomRulesetText(family, {
      tables: ['raw', 'mangle', 'filter', 'security'],
      targets: ['reject', 'log', 'effect'],
      matches: MATCHES,
      memory: 'deterministic',
      universe: UNIVERSE[family],
    });
    let runs = 0;
    fc.assert(
      fc.property(rules, (random) => {
        runs++;
        expect(compare({ [family]: random }, phasesFor(family, random, 150), options)).toBeUndefined();
      }),
      {
        seed: SEED,
        numRuns: 10_000,
        interruptAfterTimeLimit: deadline - performance.now(),
        markInterruptAsFailure: false,
        endOnFailure: true,
      },
    );
    console.log(`${family}: ${runs} random rule sets, seed ${SEED}`);
    expect(runs).toBeGreaterThan(0);
  });
});
