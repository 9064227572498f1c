/** Fingerprints, sockets, programs, rates: matches that the kernel answers ahead of our programs, against iptables asking itself. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { and, exit, ldx } from '../../src/bpf/assembly.ts';
import { buildProgram } from '../../src/bpf/builder.ts';
import { bpffsRoot } from '../../src/kernel/bpffs.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { pin } from '../../src/kernel/object.ts';
import { openStackSocket } from '../../src/kernel/packet-socket.ts';
import { loadProgram } from '../../src/kernel/program.ts';
import { addressToBytes, parseAddress } from '../../src/packet/address.ts';
import { ipv4 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { T_MISSES } from '../language/t-misses.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { buildTopology, macOf } from '../support/topology.ts';
import {
  ADDRESSES,
  askedChains,
  asking,
  DEVICES,
  filter,
  ipset,
  packetOf,
  phasesOf,
  stimuliOf,
  twinOptions,
} from './asking.ts';
import { nastyStimuli } from './nasties.ts';
import { stagedChains } from './staging.ts';
import { FORWARD, frameAround, INPUT, type Stimulus } from './stimulus.ts';
import { differences, runTwins, withTwins } from './twin.ts';

/** TCP options as the fingerprints below want them: MSS, SACK permitted, timestamp, NOP, window scale 7. */
const OPTIONS = Uint8Array.of(2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7);
const FINGERPRINTS = [
  '8192:64:1:60:M*,S,T,N,W7:Alphatest:1.0::Alphatest 1.0',
  '8192:64:1:44:M*:Betatest:2.0::Betatest 2.0',
  '',
].join('\n');

suite('fingerprints', DIFFERENTIAL, () => {
  it('osf: genres, ttl, negation', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'bpfilter-osf-')), 'pf.os');
    writeFileSync(file, FINGERPRINTS);
    run('nfnl_osf', ['-f', file]);
    try {
      const matches = ['Alphatest', 'Betatest', 'Gammatest'].flatMap((genre) =>
        ['', ' --ttl 0', ' --ttl 1', ' --ttl 2'].flatMap((ttl) => [
          `-p tcp -m osf --genre ${genre}${ttl}`,
          `-p tcp -m osf ! --genre ${genre}${ttl}`,
        ]),
      );
      const rules = ['INPUT', 'FORWARD'].flatMap((chain) => matches.map((match) => `-A ${chain} ${match}`));
      const options = twinOptions(() => undefined);
      const syn = (ttl: number, bytes: Uint8Array, flags: number = TCP_FLAGS.SYN, window = 8192): Stimulus => {
        const packet = ipv4(
          { source: '10.200.0.9', destination: '10.1.0.1', ttl, dontFragment: 1 },
          tcp({ source: 4000, destination: 80, flags, window, options: bytes }),
        );
        return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
      };
      const stimuli = [64, 63, 60, 65, 1].flatMap((ttl) => [
        syn(ttl, OPTIONS),
        syn(ttl, OPTIONS.subarray(0, 4)),
        syn(ttl, OPTIONS, TCP_FLAGS.SYN, 8193),
        syn(ttl, OPTIONS, TCP_FLAGS.ACK),
        syn(ttl, OPTIONS.subarray(4)),
      ]);
      const phases = [
        { path: FORWARD, stimuli: [...stimuli, ...nastyStimuli(1)] },
        { path: INPUT, stimuli },
      ];
      const [left, right] = runTwins({ ipv4: filter(rules) }, phases, options);
      expect(left.saved.ipv4).toMatch(/\[[1-9]\d*:\d+\] -A INPUT -p tcp -m osf --genre Alphatest/);
      expect(differences(left, right)).toEqual([]);
    } finally {
      run('nfnl_osf', ['-f', file, '-d']);
    }
  });
});

/** Sockets of all kinds on the device under test, for the time of a comparison. */
function withSockets(kind: FirewallKind, family: Family): FirewallKind {
  return {
    label: kind.label,
    open(namespace) {
      const own = family === 'ipv4' ? '10.200.0.1' : 'fdbf:0::1';
      const any = family === 'ipv4' ? '0.0.0.0' : '::';
      const sockets = (
        [
          ['tcp', own, 80, false],
          ['tcp', any, 81, false],
          ['tcp', any, 82, true],
          ['udp', own, 53, false],
          ['udp', any, 54, false],
          ['udp', any, 55, true],
        ] as const
      ).map(([type, address, port, transparent]) => {
        const socket = withNamespace(namespace, () => openStackSocket(family, type));
        if (transparent) socket.setTransparent(family);
        socket.bind(addressToBytes(parseAddress(address, family) ?? 0n, family), port);
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

suite('sockets', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: listening, wildcard, transparent, none', (family) => {
    const matches = ['', ' --transparent', ' --nowildcard', ' --transparent --nowildcard'].map(
      (words) => `-m socket${words}`,
    );
    const rules = matches.map((match) => `-A INPUT ${match}`);
    const raw = filter(
      matches.map((match) => `-A PREROUTING ${match}`),
      'raw',
    );
    const options = { left: withSockets(kernelFirewall, family), right: withSockets(asking, family), devices: DEVICES };
    const stimuli = [80, 81, 82, 53, 54, 55, 56].flatMap((port) =>
      [...ADDRESSES[family], family === 'ipv4' ? '10.200.1.1' : 'fdbf:1::1'].flatMap((destination) =>
        [tcp({ source: 4000, destination: port, flags: TCP_FLAGS.SYN }), udp({ source: 4000, destination: port })].map(
          (payload): Stimulus => {
            const packet = packetOf(family, family === 'ipv4' ? '10.200.0.2' : 'fdbf:0::2', destination, payload);
            return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
          },
        ),
      ),
    );
    const phases = [
      { path: INPUT, stimuli: [...stimuli, ...nastyStimuli(1)] },
      { path: FORWARD, stimuli },
    ];
    const [left, right] = runTwins({ [family]: `${raw}${filter(rules)}` }, phases, { ...options, frames: 'none' });
    expect(left.saved[family]).toMatch(/\[[1-9]\d*:\d+\] -A INPUT -m socket/);
    expect(differences(left, right, { frames: 'none' })).toEqual([]);
  });
});

suite('programs', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: pinned and classic ones', (family) => {
    const directory = `${bpffsRoot()}/bpfilter-test-asked-${process.pid}`;
    mkdirSync(directory, { recursive: true });
    try {
      // r0 = the packet's length & 4
      const program = loadProgram(
        buildProgram('odd_length', 'socket_filter', [ldx.w(0, 1, 0), and.imm(0, 4), exit()]),
        new Map(),
      );
      pin(program.fd, `${directory}/odd`);
      program.close();
      const bytecode =
        family === 'ipv4' ? '4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0' : '4,48 0 0 6,21 0 1 6,6 0 0 1,6 0 0 0';
      const rules = ['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => [
        `-A ${chain} -m bpf --object-pinned ${directory}/odd`,
        `-A ${chain} -p udp -m bpf --object-pinned ${directory}/odd`,
        `-A ${chain} -m bpf --bytecode "${bytecode}"`,
      ]);
      const options = twinOptions(() => undefined);
      const [left, right] = runTwins({ [family]: filter(rules) }, phasesOf(family), options);
      expect(differences(left, right)).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

suite('rates', DIFFERENTIAL, () => {
  it('an estimator that a table of the same file makes', () => {
    const compare = ['--rateest-gt', '--rateest-lt', '--rateest-eq'];
    const rules = compare.flatMap((how) => [
      `-A FORWARD -m rateest --rateest asx ${how} --rateest-pps 1`,
      `-A FORWARD -m rateest --rateest asx ! ${how} --rateest-bps 100kbit`,
      `-A FORWARD -m rateest --rateest1 asx ${how} --rateest2 asy --rateest-bps`,
      `-A FORWARD -m rateest --rateest-delta --rateest asx --rateest-bps1 1mbit ${how} --rateest-bps2 2mbit`,
    ]);
    const mangle = [
      '*mangle',
      ...['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].map((name) => `:${name} ACCEPT [0:0]`),
      '-A PREROUTING -j RATEEST --rateest-name asx --rateest-interval 250ms --rateest-ewmalog 500ms',
      '-A OUTPUT -j RATEEST --rateest-name asy --rateest-interval 250ms --rateest-ewmalog 500ms',
      'COMMIT',
      '',
    ].join('\n');
    const options = twinOptions(() => undefined);
    const phases = [{ path: FORWARD, stimuli: stimuliOf('ipv4').slice(0, 20) }];
    // Estimators begin at 0 and are read again after 250 ms at the earliest.
    const [left, right] = runTwins({ ipv4: `${mangle}${filter(rules)}` }, phases, options);
    expect(left.saved.ipv4).toMatch(/\[20:\d+\] -A FORWARD -m rateest/);
    expect(differences(left, right)).toEqual([]);
  });
});

suite('what does not exist', DIFFERENTIAL, () => {
  it.each(T_MISSES)('$rule is refused when it is applied, as iptables refuses it', ({ rule }) => {
    const topology = buildTopology({ name: `bfh-${process.pid}-missing`, devices: DEVICES });
    const text = filter([`-A INPUT ${rule}`]);
    try {
      for (const kind of [kernelFirewall, bpfilterFirewall]) {
        const firewall = kind.open(topology.namespace);
        expect(() => firewall.apply({ ipv4: text })).toThrow();
        firewall.close();
      }
    } finally {
      topology.close();
    }
  });
});

suite('nobody asked', DIFFERENTIAL, () => {
  it('drops, once somebody has taken the chain away', () => {
    const options = twinOptions((namespace) => ipset(namespace, ['create one hash:ip']));
    const set = filter(['-A FORWARD -m set ! --match-set one src -j ACCEPT']);
    withTwins({ ipv4: set }, options, (_, side) => {
      const passed = (): number => {
        const sent = stimuliOf('ipv4')
          .slice(0, 10)
          .map((stimulus) => side.send(stimulus));
        side.settle();
        return side.observe(sent).frames.length;
      };
      side.topology.deliver({ kind: 'forward', shift: 1 });
      expect(passed()).toBe(10);
      withNamespace(side.topology.namespace, () => run('nft', ['delete', 'table', 'ip', 'bpfilter']));
      expect(passed()).toBe(0);
      side.firewall.apply({ ipv4: set });
      expect(passed()).toBe(10);
      expect(askedChains(side.topology.namespace, 'ipv4')).toEqual(['asked_2_filter_FORWARD']);
      side.firewall.close();
      expect(askedChains(side.topology.namespace, 'ipv4')).toEqual([]);
      expect(passed()).toBe(10);
    });
  });

  it('a set that does not exist is an error; one that counts, or that a match would complete, is asked on the way', () => {
    const options = twinOptions((namespace) =>
      ipset(namespace, [
        'create plain hash:ip',
        'create counting hash:ip counters',
        'create lists list:set',
        'add lists counting',
        'create macs bitmap:ip,mac range 10.1.0.0/24',
      ]),
    );
    withTwins({ ipv4: filter(['-A FORWARD -m set --match-set plain src']) }, options, (_, { topology }) => {
      const firewall = bpfilterFirewall.open(topology.namespace);
      const apply = (rule: string): readonly string[] => {
        firewall.apply({ ipv4: filter([`-A FORWARD ${rule}`]) });
        const [asked] = askedChains(topology.namespace, 'ipv4');
        const [staged] = stagedChains(topology.namespace, 'ipv4');
        return asked === undefined ? [staged?.replace(/\d+/, 'n') ?? 'neither'] : staged === undefined ? [] : ['both'];
      };
      expect(() => apply('-m set --match-set nowhere src')).toThrow('there is no set "nowhere"');
      const [ahead, onTheWay] = [[], ['staged_n_filter']];
      expect(apply('-m set --match-set counting src')).toEqual(onTheWay);
      expect(apply('-m set --match-set counting src ! --update-counters')).toEqual(ahead);
      expect(apply('-m set --match-set lists src')).toEqual(onTheWay);
      expect(apply('-m set --match-set lists src ! --update-counters')).toEqual(ahead);
      expect(apply('-m set --match-set lists src ! --update-counters --packets-gt 3')).toEqual(onTheWay);
      expect(apply('-m set --match-set macs src,src')).toEqual(onTheWay);
      expect(apply('-m set --match-set plain src')).toEqual(ahead);
    });
  });
});
