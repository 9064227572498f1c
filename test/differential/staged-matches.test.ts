/** Matches with effects, which the kernel evaluates on the way through our programs, against iptables: what they answer and what they do. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { attributes, attributeText, NLM_F, parseAttributes } from '../../src/kernel/netlink-message.ts';
import { nfnetlinkAnswers } from '../../src/kernel/netlink-socket.ts';
import { openStackSocket } from '../../src/kernel/packet-socket.ts';
import { addressToBytes, parseAddress } from '../../src/packet/address.ts';
import { ipv4 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { ADDRESSES, DEVICES, ipset, packetOf, phasesOf, prepared, stimuliOf } from './asking.ts';
import { allFlows, ENDS } from './flows.ts';
import { nastyStimuli } from './nasties.ts';
import { routeOf } from './route.ts';
import { compareRounds, staging, table } from './staging.ts';
import { FORWARD, frameAround, INPUT, type Stimulus } from './stimulus.ts';
import { differences, runTwins, withTwins } from './twin.ts';

const ACCT = { NAME: [1, 'string'], FLAGS: [5, 'be32'], QUOTA: [6, 'be64'] } as const;
const NFNL_SUBSYS_ACCT = 7;
const ACCT_NEW = 0;
const ACCT_GET = 1;
const QUOTA_PACKETS = 1;

/** Accounting objects; one of them matches only beyond its quota of packets. */
function makeAccounts(namespace: string): void {
  const about = { subsystem: NFNL_SUBSYS_ACCT, message: ACCT_NEW, family: 0, what: 'accounting object' };
  withNamespace(namespace, () => {
    for (const NAME of ['first', 'second', 'unused'])
      nfnetlinkAnswers({ ...about, flags: NLM_F.ACK | NLM_F.CREATE, body: attributes(ACCT, { NAME }) });
    const body = attributes(ACCT, { NAME: 'quota', FLAGS: QUOTA_PACKETS, QUOTA: 9n });
    nfnetlinkAnswers({ ...about, flags: NLM_F.ACK | NLM_F.CREATE, body });
  });
}

function accounts(namespace: string): string {
  const request = {
    subsystem: NFNL_SUBSYS_ACCT,
    message: ACCT_GET,
    flags: NLM_F.DUMP,
    family: 0,
    what: 'accounting objects',
  };
  const found = withNamespace(namespace, () => nfnetlinkAnswers(request));
  return found
    .map((object) => {
      const parts = parseAttributes(object);
      const number = (type: number): string => Buffer.from(parts.get(type) ?? []).toString('hex');
      return `${attributeText(parts.get(1))} ${number(2)} ${number(3)}`;
    })
    .sort()
    .join('\n');
}

suite('nfacct', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: what is counted, and a quota', (family) => {
    const lines = [
      ':user - [0:0]',
      ':dead - [0:0]',
      '-A FORWARD -p tcp -m nfacct --nfacct-name first -m tcp --dport 80 -j user',
      '-A FORWARD -m nfacct --nfacct-name first -p udp',
      '-A FORWARD -m limit --limit 1/hour --limit-burst 7 -m nfacct --nfacct-name second -j user',
      '-A FORWARD -m nfacct --nfacct-name quota -j DROP',
      '-A user -m nfacct --nfacct-name second',
      '-A dead -m nfacct --nfacct-name unused',
    ];
    const rounds = [allFlows(ENDS[family]), [...nastyStimuli(1)].slice(0, 150)];
    const saved = compareRounds(family, table(lines), rounds, { prepare: makeAccounts, also: accounts });
    expect(saved).toMatch(/^\[[1-9]\d*:\d+\] -A FORWARD -m nfacct --nfacct-name\s+quota -j DROP/m);
  });
});

function labels(namespace: string, family: Family): string {
  const list = withNamespace(namespace, () => run('conntrack', ['-L', '-f', family, '-o', 'labels']));
  return list
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/ (tcp|udp|icmp\w*) +\d+ \d+ /, ' $1 ').replace(/use=\d+/, ''))
    .sort()
    .join('\n');
}

suite('connlabel', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: --set, and what later rules see', (family) => {
    const set = [0, 63, 64, 127].flatMap((label, at) => [
      `-A PREROUTING -m length --length ${30 * at}:${30 * at + 60} -m connlabel --label ${label} --set`,
      `-A PREROUTING -m connlabel --label ${label}`,
      `-A PREROUTING -m connlabel ! --label ${label}`,
    ]);
    const lines = [
      ...set,
      '-A FORWARD -m connlabel ! --label 5 --set -m length --length 50: -j DROP',
      '-A FORWARD -m connlabel --label 64 -j ACCEPT',
    ];
    const rounds = [allFlows(ENDS[family]), [...nastyStimuli(1)].slice(0, 150)];
    compareRounds(family, table(lines, 'mangle'), rounds, { also: (namespace) => labels(namespace, family) });
  });
});

suite('cluster', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: nodes, masks, and packets to a multicast address of the link', (family) => {
    const nodes = [
      '--cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0xdeadbeef',
      '--cluster-total-nodes 4 --cluster-local-nodemask 0x6 --cluster-hash-seed 7',
      '--cluster-total-nodes 4 ! --cluster-local-node 3 --cluster-hash-seed 0',
    ];
    const lines = nodes.flatMap((node) => [
      '-A PREROUTING -m pkttype --pkt-type multicast',
      `-A PREROUTING -p udp -m cluster ${node} -m udp --dport 53`,
      `-A PREROUTING -m cluster ${node}`,
      '-A PREROUTING -m pkttype --pkt-type host',
    ]);
    const multicast = Uint8Array.of(0x01, 0, 0x5e, 0, 1, 1);
    const stimuli = Array.from({ length: 40 }, (_, at): Stimulus => {
      const host = at + 2;
      const source = family === 'ipv4' ? `10.200.0.${host}` : `fdbf:0::${host.toString(16)}`;
      const packet = packetOf(
        family,
        source,
        ADDRESSES[family][0]!,
        udp({ source: 4000 + at, destination: 53 + (at & 1) }),
      );
      const frame = frameAround(packet, macOf(0), at % 3 === 0 ? {} : { destination: multicast });
      return { kind: 'frame', device: 0, frame };
    });
    const drop = ['-A PREROUTING -m pkttype --pkt-type multicast -j DROP'];
    const rounds = [stimuli, allFlows(ENDS[family]), [...nastyStimuli(1)].slice(0, 150)];
    compareRounds(family, table([...lines, ...drop], 'mangle'), rounds, { path: INPUT });
  });
});

suite('sets that count', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: counters, comparisons, lists, elements that are completed', (family) => {
    const [a, b, c] = ADDRESSES[family];
    const f = family === 'ipv4' ? '' : ' family inet6';
    const sets = [
      `create counting hash:ip${f} counters`,
      ...[a, b, c].map((address) => `add counting ${address}`),
      `create ports hash:ip,port${f} counters`,
      `add ports ${a},tcp:80`,
      `add ports ${c},udp:53`,
      `create plain hash:ip${f}`,
      `add plain ${b}`,
      'create list list:set counters',
      'add list counting',
      'add list plain',
      ...(family === 'ipv4' ? ['create macs bitmap:ip,mac range 10.1.0.0/24', `add macs ${a}`] : []),
    ];
    const lines = [
      '-A FORWARD -p udp -m set --match-set counting src -m length --length 29:',
      '-A FORWARD -m set ! --match-set counting dst',
      '-A FORWARD -m set --match-set ports dst,dst ! --update-subcounters',
      '-A FORWARD -m set --match-set counting src ! --update-counters',
      '-A FORWARD -m set --match-set counting src ! --update-counters --packets-gt 20 -j DROP',
      '-A FORWARD -p tcp -m set --match-set list src',
      '-A FORWARD -p tcp -m set --match-set list dst ! --update-subcounters',
      ...(family === 'ipv4' ? ['-A FORWARD -m set --match-set macs src,src'] : []),
    ];
    const list = (namespace: string): string => withNamespace(namespace, () => run('ipset', ['save']));
    const sorted = (namespace: string): string =>
      list(namespace)
        .replace(/(initval|bucketsize) \S+/g, '')
        .split('\n')
        .sort()
        .join('\n');
    const rounds = [stimuliOf(family), stimuliOf(family), [...nastyStimuli(1)].slice(0, 100)];
    const prepare = (namespace: string): void => ipset(namespace, sets);
    compareRounds(family, table(lines), rounds, { prepare, also: sorted });
  });
});

suite('osf', DIFFERENTIAL, () => {
  it('--log 0, 1 and 2', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'bpfilter-osf-')), 'pf.os');
    writeFileSync(
      file,
      ['8192:64:1:44:M*:Betatest:2.0::Betatest 2.0', '8192:64:1:44:M*:Gammatest:1::Gammatest 1', ''].join('\n'),
    );
    run('nfnl_osf', ['-f', file]);
    try {
      const lines = ['INPUT', 'FORWARD'].flatMap((chain) =>
        ['Betatest', 'Gammatest'].flatMap((genre, at) => [
          `-A ${chain} -p tcp -m osf --genre ${genre} --log ${at} --ttl 2`,
          `-A ${chain} -p tcp -m tcp --dport 80 -m osf ! --genre ${genre} --ttl 0 --log 2`,
        ]),
      );
      const stimuli = [64, 63, 1].flatMap((ttl) =>
        [80, 81].flatMap((destination) =>
          [4, 8, 0].map((length): Stimulus => {
            const options = Uint8Array.of(2, 4, 5, 180, 1, 1, 1, 1).subarray(0, length);
            const segment = tcp({ source: 4000, destination, flags: TCP_FLAGS.SYN, window: 8192, options });
            const packet = ipv4({ source: '10.200.0.9', destination: '10.1.0.1', ttl, dontFragment: 1 }, segment);
            return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
          }),
        ),
      );
      const saved = compareRounds('ipv4', table(lines), [stimuli, [...nastyStimuli(1)].slice(0, 100)]);
      expect(saved).toMatch(/^\[[1-9]\d*:\d+\] -A FORWARD -p tcp -m osf --genre Betatest/m);
      compareRounds('ipv4', table(lines), [stimuli], { path: INPUT });
    } finally {
      run('nfnl_osf', ['-f', file, '-d']);
    }
  });
});

/** Sockets with marks on the device under test, for the time of a comparison. */
function withSockets(kind: FirewallKind, family: Family): FirewallKind {
  return {
    label: kind.label,
    open(namespace) {
      const sockets = (
        [
          ['tcp', 80, 0x11],
          ['tcp', 81, 0],
          ['udp', 53, 0x2200],
        ] as const
      ).map(([type, port, mark]) => {
        const socket = withNamespace(namespace, () => openStackSocket(family, type));
        socket.setMark(mark);
        socket.bind(
          addressToBytes(parseAddress(family === 'ipv4' ? '10.200.0.1' : 'fdbf:0::1', family) ?? 0n, family),
          port,
        );
        if (type === 'tcp') socket.listen();
        return socket;
      });
      const firewall = kind.open(namespace);
      return {
        ...firewall,
        close() {
          for (const socket of sockets) socket.close();
          firewall.close();
        },
      };
    },
  };
}

suite('socket', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: --restore-skmark, and the marks that later rules see', (family) => {
    const marks = ['0x11', '0', '0x2200', '0x2201', '0x1'].map((mark) => `-A PREROUTING -m mark --mark ${mark}`);
    const lines = [
      '-A PREROUTING -p tcp -m tcp --dport 80:81 -m socket --restore-skmark',
      ...marks,
      '-A PREROUTING -p udp -m socket --nowildcard --restore-skmark -m length --length 28:29',
      ...marks,
      '-A PREROUTING -p udp -j MARK --set-xmark 0x1/0x1',
      ...marks,
      '-A INPUT -m socket --transparent --restore-skmark',
      '-A INPUT -m mark --mark 0x2201 -j ACCEPT',
    ];
    const own = family === 'ipv4' ? ['10.200.0.1', '10.200.0.2'] : ['fdbf:0::1', 'fdbf:0::2'];
    const stimuli = [80, 81, 82, 53, 54].flatMap((port) =>
      [tcp({ source: 4000, destination: port, flags: TCP_FLAGS.ACK }), udp({ source: 4000, destination: port })].map(
        (payload): Stimulus => {
          const packet = packetOf(family, own[1]!, own[0]!, payload);
          return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
        },
      ),
    );
    const [left, right] = runTwins(
      { [family]: table(lines, 'mangle') },
      [
        { path: INPUT, stimuli: [...stimuli, ...nastyStimuli(1)] },
        { path: FORWARD, stimuli },
      ],
      {
        left: withSockets(kernelFirewall, family),
        right: withSockets(staging, family),
        devices: DEVICES,
        frames: 'none',
      },
    );
    expect(left.saved[family]).toMatch(/\[[1-9]\d*:\d+\] -A PREROUTING -m mark --mark 0x2201/);
    expect(differences(left, right, { frames: 'none' })).toEqual([]);
  });
});

suite('all together', DIFFERENTIAL, () => {
  it.each(FAMILIES)(
    '%s: asked ahead, asked on the way, answered and carried out, forwarded, arriving and sent',
    (family) => {
      const [a, b] = ADDRESSES[family];
      const prepare = (namespace: string): void => {
        makeAccounts(namespace);
        const type = family === 'ipv4' ? 'hash:ip' : 'hash:ip family inet6';
        ipset(namespace, [
          `create plain ${type}`,
          `add plain ${a}`,
          `create counting ${type} counters`,
          `add counting ${b}`,
        ]);
      };
      const chains = ['INPUT', 'FORWARD', 'OUTPUT'];
      const lines = [
        ':user - [0:0]',
        ...chains.flatMap((chain) => [
          `-A ${chain} -m set --match-set plain src -m nfacct --nfacct-name first -j user`,
          `-A ${chain} -p tcp -m nfacct --nfacct-name second -m set ! --match-set plain dst -j LOG --log-prefix "one "`,
          // So many that it says the same whatever the kernel has forgotten already: that goes by jiffies (staged.test.ts).
          `-A ${chain} -p udp -m udp --dport 53 -m connlimit --connlimit-upto 10000 -m limit --limit 1/hour --limit-burst 2 -j REJECT`,
          `-A ${chain} -m set --match-set counting dst -g user`,
          `-A ${chain} -p tcp -j MARK --set-xmark 0x1/0x1`,
          `-A ${chain} -m mark --mark 0x1/0x1 -j DROP`,
        ]),
        '-A user -m limit --limit 1/hour --limit-burst 9 -m nfacct --nfacct-name second -j RETURN',
        '-A user -p tcp -m nfacct --nfacct-name first -j REJECT',
      ];
      const also = (namespace: string): string =>
        `${accounts(namespace)} ${withNamespace(namespace, () => run('ipset', ['save', 'counting'])).replace(/initval \S+/g, '')}`;
      const others = { left: prepared(kernelFirewall, prepare), right: prepared(staging, prepare), devices: DEVICES };
      withTwins({ [family]: table(lines) }, others, (left, right) => {
        for (const phase of phasesOf(family)) {
          const route = routeOf(phase);
          for (const side of [left, right]) side.topology.deliver(route);
          const sent = phase.stimuli.map((stimulus) => [left.send(stimulus), right.send(stimulus)] as const);
          for (const side of [left, right]) side.settle();
          const one = left.observe(sent.map(([result]) => result));
          const other = right.observe(sent.map(([, result]) => result));
          expect(differences(one, other)).toEqual([]);
          expect(also(right.topology.namespace)).toBe(also(left.topology.namespace));
          expect(one.saved[family]).toMatch(/^\[[1-9]\d*:\d+\] -A user -p tcp -m nfacct/m);
        }
      });
    },
  );
});
