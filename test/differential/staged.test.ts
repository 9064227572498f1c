/** connlimit, which the kernel evaluates on the way through our programs, against iptables. */
import { it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { TCP_FLAGS, tcp, truncated, udp } from '../../src/packet/transport.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { ENDS, type Ends, fromClient, fromServer } from './flows.ts';
import { nastyStimuli } from './nasties.ts';
import { compareRounds, table } from './staging.ts';
import type { Stimulus } from './stimulus.ts';

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
    compareRounds(family, table(lines), connectionRounds(family), { apart: true });
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
    compareRounds(family, table(order, 'mangle'), connectionRounds(family), { apart: true });
  });
});
