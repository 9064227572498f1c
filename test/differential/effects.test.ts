/** Targets that the kernel carries out behind our programs, against iptables, which does both. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { randomRulesetText, UNIVERSE } from '../generate/index.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { SEED } from '../support/budget.ts';
import { run } from '../support/command.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { openPacketQueue } from '../support/packet-queue.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { addressesOn } from '../support/topology.ts';
import { ipset, prepared } from './asking.ts';
import { compare } from './bisect.ts';
import { allFlows, ENDS, tcpFlow, udpFlow } from './flows.ts';
import { nastyStimuli } from './nasties.ts';
import { outcomeOf } from './outcome.ts';
import { routeOf } from './route.ts';
import { FORWARD, INPUT, type Phase, type Stimulus } from './stimulus.ts';
import { differences, withTwins } from './twin.ts';

const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };

/** Built-in chains of the tables used here. */
const HOOKS = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
} as const;

/** A table with these user chains and rules, policies ACCEPT. */
function table(name: keyof typeof HOOKS, rules: readonly string[], chains: readonly string[] = []): string {
  return [
    `*${name}`,
    ...HOOKS[name].map((hook) => `:${hook} ACCEPT [0:0]`),
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...rules.map((rule) => `-A ${rule}`),
    'COMMIT',
    '',
  ].join('\n');
}

function phasesOf(family: Family): readonly Phase[] {
  const ends = ENDS[family];
  return [
    { path: FORWARD, stimuli: [...allFlows(ends), ...nastyStimuli(2), ...allFlows(ends)] },
    { path: INPUT, stimuli: [...allFlows(ends), ...nastyStimuli(1)] },
  ];
}

/** All tables but nat run as programs, and both sides do the same. */
function expectEqual(family: Family, text: string, phases = phasesOf(family)): void {
  const outcome = outcomeOf('effects', text, family);
  expect(outcome.kind === 'applies' ? outcome.reasons : outcome.diagnostics).toEqual([]);
  expect(outcome.kind === 'applies' ? outcome.share.kernel : 1).toBe(0);
  expect(compare({ [family]: text }, phases, options)).toBeUndefined();
}

const everyHook = (name: keyof typeof HOOKS, rule: string): readonly string[] =>
  HOOKS[name].map((hook) => `${hook} ${rule}`);

suite('effects in the kernel', DIFFERENTIAL, () => {
  describe.each(FAMILIES)('%s', (family) => {
    it('MARK: later rules of the same table and of later ones see it', () => {
      const rules = [
        '-p tcp -j MARK --set-xmark 0x10/0xffffffff',
        '-p udp -j MARK --or-mark 0x3',
        '-p udp -m udp --dport 53 -j MARK --xor-mark 0x101',
        '-m mark --mark 0x10 -m mark ! --mark 0x1/0x1',
        '-m mark --mark 0x102/0xfff -j MARK --and-mark 0xff0f',
        '-m mark --mark 0x3',
        '-m mark ! --mark 0x0',
      ].flatMap((rule) => everyHook('mangle', rule));
      const tests = ['0x10', '0x3', '0x102', '0x0', '0x1/0x1'].flatMap((mark) =>
        everyHook('filter', `-m mark --mark ${mark}`),
      );
      expectEqual(family, table('mangle', rules) + table('filter', tests));
    });

    it('CONNMARK: set, save and restore over flows', () => {
      const rules = [
        'PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff',
        'PREROUTING -m mark --mark 0x0 -p tcp -j MARK --set-mark 0x21',
        'PREROUTING -m mark --mark 0x0 -p udp -j MARK --set-mark 0x1f',
        'PREROUTING -m connmark --mark 0x0 -j CONNMARK --save-mark --nfmask 0xf --ctmask 0xff',
        'PREROUTING -m connmark --mark 0x1',
        'PREROUTING -m connmark --mark 0xf',
        'POSTROUTING -m connmark --mark 0xf -j CONNMARK --set-xmark 0x100/0x0 --left-shift-mark 4',
        'POSTROUTING -m connmark --mark 0x10f0/0xffff',
        'POSTROUTING -m connmark --mark 0x1 -j CONNMARK --restore-mark --right-shift-mark 0 --nfmask 0x0 --ctmask 0x1',
        'POSTROUTING -m mark --mark 0x20/0xf0',
      ].map((rule) => rule.replace(' --right-shift-mark 0', ''));
      const shifted = [
        'PREROUTING -p tcp -j MARK --set-mark 0xff',
        'PREROUTING -j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xffffffff --left-shift-mark 4',
        'PREROUTING -m connmark --mark 0xf00',
        'PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xf00 --right-shift-mark 8',
        'PREROUTING -m mark --mark 0xf',
        'PREROUTING -m mark --mark 0xff',
      ];
      const tests = ['INPUT', 'FORWARD'].flatMap((chain) =>
        ['0x1', '0xf', '0x10f0', '0x0', '0xf00'].map((mark) => `${chain} -m connmark --mark ${mark}`),
      );
      expectEqual(family, table('mangle', rules) + table('filter', tests));
      expectEqual(family, table('mangle', shifted) + table('filter', tests));
    });

    it('header changes are seen on the delivered frames and by later tables', () => {
      const hops =
        family === 'ipv4'
          ? ['TTL --ttl-set 33', 'TTL --ttl-inc 5', 'TTL --ttl-dec 3']
          : ['HL --hl-set 33', 'HL --hl-inc 5', 'HL --hl-dec 3'];
      const ask = family === 'ipv4' ? 'ttl --ttl-eq' : 'hl --hl-eq';
      const rules = [
        `PREROUTING -p tcp -j ${hops[0]}`,
        `PREROUTING -p udp -j ${hops[1]}`,
        `FORWARD -p tcp -j ${hops[2]}`,
        'POSTROUTING -p udp -j DSCP --set-dscp 0x2e',
        'POSTROUTING -p tcp -j TOS --set-tos 0x10/0x3f',
        'POSTROUTING -p tcp -m tcp --tcp-flags SYN SYN -j TCPOPTSTRIP --strip-options 8,4',
        'OUTPUT -p tcp -j TOS --set-tos 0x8/0xff',
        ...(family === 'ipv4' ? ['POSTROUTING -p tcp -j ECN --ecn-tcp-remove'] : []),
        'POSTROUTING -p udp -j CHECKSUM --checksum-fill',
        'POSTROUTING -j CLASSIFY --set-class 0001:0010',
      ];
      const tests = [33, 30, 69, 64, 32].flatMap((hop) =>
        ['INPUT', 'FORWARD'].map((chain) => `${chain} -m ${ask} ${hop}`),
      );
      expectEqual(family, table('mangle', rules) + table('security', tests));
    });

    it('TCPMSS: lowered, added where there is none, clamped to the route', () => {
      const syn = '-p tcp -m tcp --tcp-flags SYN,RST SYN';
      const rules = [
        `PREROUTING ${syn} -j TCPMSS --set-mss 500`,
        `PREROUTING ${syn} -j MARK --set-mark 0x1`,
        'PREROUTING -p tcp',
        `PREROUTING -m mark --mark 0x1`,
        `FORWARD ${syn} -j TCPMSS --clamp-mss-to-pmtu`,
        'FORWARD -p tcp',
      ];
      const tests = [
        'FORWARD -p tcp -m tcpmss --mss 0:500',
        'FORWARD -p tcp -m tcpmss --mss 501:65535',
        'FORWARD -p tcp',
      ];
      expectEqual(family, table('mangle', rules) + table('filter', tests));
    });

    it('effects, then DROP, REJECT or a policy', () => {
      const rules = [
        'FORWARD -p udp -j MARK --set-mark 0x5',
        'FORWARD -p udp -m mark --mark 0x5 -j CONNMARK --set-mark 0x7',
        'FORWARD -p udp -m connmark --mark 0x7 -m udp --dport 53 -j REJECT',
        'FORWARD -p udp -j DROP',
        'FORWARD -p tcp -j CONNMARK --set-mark 0x9',
        'FORWARD -p tcp -m tcp --dport 80 -j REJECT --reject-with tcp-reset',
        'FORWARD -p tcp -m tcp --dport 22 -j REJECT',
        'INPUT -p tcp -j MARK --set-mark 0x1',
        'INPUT -p tcp -m tcp ! --dport 1 -j REJECT --reject-with tcp-reset',
        'INPUT -j MARK --set-mark 0x2',
      ];
      expectEqual(family, table('filter', rules).replace(':INPUT ACCEPT', ':INPUT DROP'));
    });

    it('chains entered from several places keep the order', () => {
      const rules = [
        'PREROUTING -p tcp -j one',
        'PREROUTING -p udp -j two',
        'PREROUTING -j MARK --xor-mark 0x1000',
        'PREROUTING -m mark --mark 0x1000/0x1000 -j two',
        'PREROUTING -m mark ! --mark 0x1000/0x1000 -g one',
        'one -j MARK --set-xmark 0x1/0x1',
        'one -j two',
        'one -m mark --mark 0x3/0xf',
        'one -m mark --mark 0x2/0x2 -j MARK --and-mark 0xfffffffd',
        'two -m mark --mark 0x1/0x1 -j MARK --set-xmark 0x2/0x2',
        'two -m mark --mark 0x4/0x4 -j RETURN',
        'two -m mark ! --mark 0x1/0x1 -j MARK --set-xmark 0x4/0x4',
        'INPUT -j one',
      ];
      const tests = Array.from({ length: 16 }, (_, mark) => `FORWARD -m mark --mark ${mark}/0xf`);
      expectEqual(family, table('mangle', rules, ['one', 'two']) + table('filter', tests));
    });

    it('CT: packets that are not tracked, zones, and NOTRACK', () => {
      const rules = [
        'PREROUTING -p udp -j CT --notrack',
        'PREROUTING -p tcp -j CT --zone 5',
        'OUTPUT -p udp -j NOTRACK',
      ];
      const states = ['NEW', 'ESTABLISHED', 'UNTRACKED', 'INVALID'];
      const tests = HOOKS.filter.flatMap((chain) => states.map((state) => `${chain} -m conntrack --ctstate ${state}`));
      expectEqual(family, table('raw', rules) + table('filter', tests));
    });

    it('NFQUEUE and QUEUE without a listener, with and without bypass', () => {
      const rules = [
        'FORWARD -p tcp -j NFQUEUE --queue-num 3 --queue-bypass',
        'FORWARD -p tcp',
        'FORWARD -p udp -m udp --dport 53 -j NFQUEUE --queue-num 3',
        'FORWARD -p udp -j NFQUEUE --queue-balance 0:3 --queue-bypass',
        'INPUT -p udp -j QUEUE',
      ];
      const after = ['FORWARD -p tcp', 'FORWARD -p udp', 'INPUT -p udp'];
      expectEqual(family, table('filter', rules) + table('security', after));
    });

    it('TEE, AUDIT, IDLETIMER, RATEEST, HMARK beside each other', () => {
      const gateway = family === 'ipv4' ? '10.0.1.2' : 'fd00:1::2';
      const rules = [
        `PREROUTING -p udp -j TEE --gateway ${gateway}`,
        'PREROUTING -p udp -j RATEEST --rateest-name bfe --rateest-interval 250ms --rateest-ewmalog 500ms',
        'PREROUTING -p tcp -j HMARK --hmark-tuple src,dst,sport,dport,proto --hmark-mod 16 --hmark-offset 1 --hmark-rnd 0x1',
      ];
      const tests = Array.from({ length: 18 }, (_, mark) => `FORWARD -m mark --mark ${mark}`);
      expectEqual(family, table('mangle', rules) + table('filter', tests), [
        {
          path: FORWARD,
          stimuli: [
            ...tcpFlow(ENDS[family], { client: 4000, server: 80 }),
            ...udpFlow(ENDS[family], { client: 4001, server: 53 }),
          ],
        },
      ]);
    });

    it('many effects go through groups', () => {
      const rules = Array.from(
        { length: 30 },
        (_, index) => `chain${index % 10} -m mark --mark ${index}/0xff -j MARK --set-mark ${index + 1}`,
      );
      const chains = Array.from({ length: 10 }, (_, index) => `chain${index}`);
      const calls = chains.map((chain, index) => `PREROUTING -p ${index % 2 === 0 ? 'tcp' : 'udp'} -g ${chain}`);
      const tests = Array.from({ length: 31 }, (_, mark) => `FORWARD -m mark --mark ${mark}`);
      expectEqual(family, table('mangle', [...calls, ...rules], chains) + table('filter', tests));
    });

    it('random rule sets', () => {
      const text = randomRulesetText(family, {
        tables: ['mangle', 'filter', 'raw'],
        targets: ['effect', 'reject'],
        matches: ['mark', 'connmark', 'tcp', 'udp', 'multiport', 'conntrack'],
        memory: 'none',
        maxRules: 10,
        universe: { ...UNIVERSE[family], devices: options.devices },
      });
      for (const rules of fc.sample(text, { seed: SEED, numRuns: 8 })) expectEqual(family, rules);
    });

    it('MARK and TOS choose routes', () => {
      const rules = [
        'PREROUTING -p tcp -j MARK --set-mark 0x1',
        'OUTPUT -p udp -m udp --dport 53 -j MARK --set-mark 0x1',
        'OUTPUT -p tcp -j TOS --set-tos 0x10/0xff',
        'OUTPUT -p udp -m mark --mark 0x1 -j MARK --or-mark 0x2',
        'POSTROUTING -o eth1',
        'POSTROUTING -o eth2',
        'POSTROUTING -o eth2 -p udp',
      ];
      const tests = ['eth0', 'eth1', 'eth2'].flatMap((device) => [`OUTPUT -o ${device}`, `FORWARD -o ${device}`]);
      const sets = { [family]: table('mangle', rules) + table('filter', tests) };
      const devices = ['eth0', 'eth1', 'eth2'];
      const ip = family === 'ipv4' ? '-4' : '-6';
      const ends = ENDS[family];
      const far = addressesOn(1, 2)[family];
      const packets = [
        tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.SYN }),
        udp({ source: 4000, destination: 53 }),
        udp({ source: 4000, destination: 54 }),
      ];
      const own = addressesOn(1, 1)[family];
      const sent = packets.map(
        (payload): Stimulus => ({
          kind: 'local',
          family,
          packet:
            family === 'ipv4'
              ? ipv4({ source: own, destination: far }, payload)
              : ipv6({ source: own, destination: far }, payload),
        }),
      );
      withTwins(sets, { ...options, devices }, (left, right) => {
        const observed = [left, right].map((side) => {
          withNamespace(side.topology.namespace, () => {
            for (const mark of ['0x1', '0x3']) run('ip', [ip, 'rule', 'add', 'fwmark', mark, 'table', '100']);
            run('ip', [ip, 'rule', 'add', 'tos', '0x10', 'table', '100']);
            run('ip', [ip, 'route', 'add', 'default', 'dev', 'eth2', 'table', '100']);
          });
          side.topology.deliver(routeOf({ path: FORWARD, stimuli: [] }));
          const results = [...sent, ...tcpFlow(ends, { client: 4000, server: 80 })].map((stimulus) =>
            side.send(stimulus),
          );
          side.settle();
          return side.observe(results);
        });
        expect(observed[0]!.saved[family]).toMatch(/\[[1-9]\d*:\d+\] -A POSTROUTING -o eth2 -p udp/);
        expect(differences(observed[0]!, observed[1]!)).toEqual([]);
      });
    });

    it('NFQUEUE with a listener', () => {
      const rules = [
        'FORWARD -p tcp -j NFQUEUE --queue-num 5',
        'FORWARD -p udp -j MARK --set-mark 0x4',
        'FORWARD -m mark --mark 0x4 -j NFQUEUE --queue-num 5 --queue-bypass',
        'FORWARD',
      ];
      const text = table('mangle', rules) + table('filter', ['FORWARD -p tcp', 'FORWARD -m mark --mark 0x4']);
      withTwins({ [family]: text }, options, (left, right) => {
        const observed = [left, right].map((side) => {
          const queue = withNamespace(side.topology.namespace, () => openPacketQueue(5));
          try {
            side.topology.deliver(routeOf({ path: FORWARD, stimuli: [] }));
            const flow = [
              ...tcpFlow(ENDS[family], { client: 4000, server: 80 }),
              ...udpFlow(ENDS[family], { client: 4001, server: 53 }),
            ];
            const answers = flow.map((stimulus) => {
              side.send(stimulus);
              side.settle();
              return queue.answer();
            });
            side.settle();
            return { answers, ...side.observe([]) };
          } finally {
            queue.close();
          }
        });
        expect(observed[0]!.answers.reduce((sum, count) => sum + count)).toBeGreaterThan(5);
        expect(observed[1]!.answers).toEqual(observed[0]!.answers);
        expect(differences(observed[0]!, observed[1]!)).toEqual([]);
      });
    });

    it('SET adds, deletes and maps; TPROXY without a socket', () => {
      const sets = ['seen hash:ip', 'flows hash:ip,port', 'mapped hash:net'];
      const prepare = (namespace: string): void => {
        const net = family === 'ipv4' ? '10.0.0.0/8' : 'fd00::/8';
        const inet = family === 'ipv4' ? 'inet' : 'inet6';
        ipset(namespace, [
          ...sets.map((set) => `create ${set} family ${inet}${set.startsWith('mapped') ? ' skbinfo' : ''}`),
          `add mapped ${net} skbmark 0x7/0xff`,
        ]);
      };
      const rules = [
        'PREROUTING -p tcp -j SET --add-set flows src,dst',
        'PREROUTING -p udp -j SET --add-set seen src --exist',
        'PREROUTING -p tcp -m tcp --tcp-flags FIN FIN -j SET --del-set flows src,dst',
        'PREROUTING -p udp -j SET --map-set mapped src --map-mark',
        'PREROUTING -p tcp -m tcp --tcp-flags SYN,ACK SYN -j TPROXY --on-port 5000 --tproxy-mark 0x1/0x1',
        'PREROUTING -p tcp',
      ];
      const tests = [
        'FORWARD -m mark --mark 0x7/0xff',
        'FORWARD -p tcp',
        'FORWARD -m set --match-set seen src',
        'FORWARD -m set --match-set flows src,dst',
      ];
      const text = table('mangle', rules) + table('filter', tests);
      const [left, right] = [kernelFirewall, bpfilterFirewall].map((kind) => prepared(kind, prepare));
      const lists: string[] = [];
      withTwins({ [family]: text }, { ...options, left: left!, right: right! }, (one, other) => {
        const observed = [one, other].map((side) => {
          side.topology.deliver(routeOf({ path: FORWARD, stimuli: [] }));
          const results = [...allFlows(ENDS[family]), ...allFlows(ENDS[family])].map((stimulus) => side.send(stimulus));
          side.settle();
          lists.push(
            withNamespace(side.topology.namespace, () => run('ipset', ['save', '-sorted'])).replace(
              / initval \S+/g,
              '',
            ),
          );
          return side.observe(results);
        });
        expect(lists[0]).toMatch(/^add flows /m);
        expect(lists[1]).toBe(lists[0]);
        expect(observed[0]!.saved[family]).toMatch(/\[[1-9]\d*:\d+\] -A FORWARD -m mark --mark 0x7/);
        expect(differences(observed[0]!, observed[1]!)).toEqual([]);
      });
    });
  });
});
