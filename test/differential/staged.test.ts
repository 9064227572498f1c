/** Matches that the kernel evaluates on the way through our programs, against iptables evaluating them itself. */
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { FAMILIES, type Family, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { TCP_FLAGS, tcp, truncated, udp } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { ENDS, type Ends, fromClient, fromServer } from './flows.ts';
import { nastyStimuli } from './nasties.ts';
import { routeOf } from './route.ts';
import { FORWARD, type Stimulus } from './stimulus.ts';
import { differences, type Side, withTwins } from './twin.ts';

/** bpfilter, which must not leave the table with the kernel. */
const staging: FirewallKind = {
  label: 'bpfilter',
  open(namespace) {
    const firewall = bpfilterFirewall.open(namespace);
    return {
      ...firewall,
      apply(sets) {
        firewall.apply(sets);
        for (const family of Object.keys(sets) as Family[]) expect(stagedChains(namespace, family)).not.toEqual([]);
      },
    };
  },
};

function stagedChains(namespace: string, family: Family): readonly string[] {
  const list = withNamespace(namespace, () => run('nft', ['list', 'chains', family === 'ipv4' ? 'ip' : 'ip6']));
  return [...list.matchAll(/chain (staged_\S+)/g)].map((found) => found[1] ?? '');
}

const OPTIONS = { left: kernelFirewall, right: staging, devices: ['eth0', 'eth1'] };

function table(lines: readonly string[], name: TableName = 'filter'): string {
  const chains = TABLE_HOOKS[name].hooks.map((hook) => `:${hook} ACCEPT [0:0]`);
  return [`*${name}`, ...chains, ...lines, 'COMMIT', ''].join('\n');
}

const { SYN, ACK, FIN, RST } = TCP_FLAGS;

/** A connection from one of several clients; what is sent for its beginning and for one of its ends. */
interface Connection {
  readonly ends: Ends;
  readonly port: number;
  readonly to: number;
}

function clientAt(family: Family, host: number): Ends {
  const base = ENDS[family];
  return { ...base, client: family === 'ipv4' ? `10.200.0.${host}` : `fdbf:0::${host.toString(16)}` };
}

function opened({ ends, port, to }: Connection): readonly Stimulus[] {
  return [
    fromClient(ends, tcp({ source: port, destination: to, sequence: 1000, flags: SYN })),
    fromServer(ends, tcp({ source: to, destination: port, sequence: 5000, acknowledgment: 1001, flags: SYN | ACK })),
    fromClient(ends, tcp({ source: port, destination: to, sequence: 1001, acknowledgment: 5001, flags: ACK })),
  ];
}

function closed({ ends, port, to }: Connection, how: 'fin' | 'rst'): readonly Stimulus[] {
  const up = (sequence: number, acknowledgment: number, flags: number): Stimulus =>
    fromClient(ends, tcp({ source: port, destination: to, sequence, acknowledgment, flags }));
  if (how === 'rst') return [up(1001, 5001, RST | ACK)];
  const down = (sequence: number, acknowledgment: number, flags: number): Stimulus =>
    fromServer(ends, tcp({ source: to, destination: port, sequence, acknowledgment, flags }));
  return [up(1001, 5001, FIN | ACK), down(5001, 1002, FIN | ACK), up(1002, 5002, ACK)];
}

/** nf_conncount looks for connections that have ended once in a jiffy only. */
const A_JIFFY_MS = 12;

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Rounds of stimuli for both sides; between them a moment passes. */
function compareRounds(family: Family, text: string, rounds: readonly (readonly Stimulus[])[]): void {
  withTwins({ [family]: text }, OPTIONS, (left, right) => {
    const route = routeOf({ path: FORWARD, stimuli: rounds.flat() });
    for (const side of [left, right]) side.topology.deliver(route);
    const sent: [number[], number[]] = [[], []];
    rounds.forEach((stimuli, round) => {
      for (const stimulus of stimuli) {
        sent[0].push(left.send(stimulus));
        sent[1].push(right.send(stimulus));
      }
      settle(left, right);
      pause(A_JIFFY_MS);
      const [one, other] = [left.observe(sent[0]), right.observe(sent[1])];
      expect({ round, found: differences(one, other) }).toEqual({ round, found: [] });
      if (round === rounds.length - 1) expect(one.saved[family]).toMatch(/^\[[1-9]\d*:\d+\] -A /m);
    });
  });
}

function settle(...sides: readonly Side[]): void {
  for (const side of sides) side.settle();
}

/** Connections from many clients, opened, some closed, and more opened: about as many as the limits allow. */
function connectionRounds(family: Family): readonly (readonly Stimulus[])[] {
  const all = [2, 3, 5, 17, 33, 130].flatMap((host) =>
    [40_000, 40_001, 40_002, 40_003, 40_004].map(
      (port, at): Connection => ({ ends: clientAt(family, host), port, to: at % 3 === 2 ? 80 : 22 }),
    ),
  );
  const some = all.filter((_, at) => at % 3 === 1);
  const others = all.filter((_, at) => at % 4 === 2);
  const again = some.map((connection) => ({ ...connection, port: connection.port + 100 }));
  return [
    all.flatMap(opened),
    some.flatMap((connection, at) => closed(connection, at % 2 === 0 ? 'fin' : 'rst')),
    again.flatMap(opened),
    others.flatMap((connection) => closed(connection, 'rst')),
    [...others, ...again].map(({ ends, port, to }) =>
      fromClient(ends, tcp({ source: port + 7, destination: to, sequence: 1, flags: SYN })),
    ),
    all.slice(0, 6).map(({ ends, port }) => fromClient(ends, udp({ source: port, destination: 53 }))),
    all.slice(0, 6).map(({ ends, port }) => fromClient(ends, truncated(tcp({ source: port, destination: 22 }), 3))),
    [...nastyStimuli(0)].slice(0, 120),
  ];
}

const REJECT = { ipv4: 'REJECT --reject-with tcp-reset', ipv6: 'REJECT --reject-with tcp-reset' } as const;

suite('connlimit', DIFFERENTIAL, () => {
  const syn = '-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN';

  it.each(FAMILIES)('%s: refuses the next connection of a client', (family) => {
    const lines = [
      `-A FORWARD ${syn} --dport 22 -m connlimit --connlimit-above 2 -j ${REJECT[family]}`,
      `-A FORWARD ${syn} --dport 80 -m connlimit --connlimit-upto 1 -j ACCEPT`,
      `-A FORWARD ${syn} --dport 80 -j DROP`,
    ];
    compareRounds(family, table(lines), connectionRounds(family));
  });

  it.each(FAMILIES)('%s: networks, servers, in chains called from several places, with tests around', (family) => {
    const [wide, narrow] = family === 'ipv4' ? [24, 28] : [64, 124];
    const lines = [
      ':many - [0:0]',
      ':few - [0:0]',
      `-A PREROUTING ${syn} -m connlimit --connlimit-above 9 --connlimit-mask ${wide} --connlimit-saddr`,
      '-A FORWARD -p tcp -j many',
      '-A FORWARD -p udp -j many',
      `-A FORWARD -m connlimit ! --connlimit-above 20 --connlimit-mask 0 --connlimit-daddr`,
      '-A FORWARD -m limit --limit 1/hour --limit-burst 5 -m connlimit --connlimit-above 1 -m limit --limit 1/hour --limit-burst 3 -j LOG',
      `-A many -m connlimit --connlimit-upto 4 --connlimit-mask ${narrow} -g few`,
      '-A many -m connlimit --connlimit-above 6 --connlimit-daddr -m tcp -p tcp --dport 22 -j RETURN',
      `-A many -p tcp -m tcp --dport 22 -m connlimit ! --connlimit-upto 2 -m statistic --mode nth --every 2 --packet 0 -j DROP`,
      '-A few -p tcp -m tcp --sport 40001 -j RETURN',
      '-A few -j many2',
      '-A many2 -m connlimit --connlimit-above 3 -j RETURN',
      ':many2 - [0:0]',
    ];
    const order = [...lines.filter((line) => line.startsWith(':')), ...lines.filter((line) => !line.startsWith(':'))];
    compareRounds(family, table(order, 'mangle'), connectionRounds(family));
  });
});
