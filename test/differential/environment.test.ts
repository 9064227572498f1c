/** Rules about what surrounds a packet, against iptables: devices, routes, clock, connections, bridges, sockets. */
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { type Payload, TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { policiesOf } from '../generate/policies.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { kernelFirewall, type RuleSets } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { DEVICES, filter, packetOf, phasesOf, prepared } from './asking.ts';
import { FORWARD, frameAround, INPUT, type Phase, type Stimulus } from './stimulus.ts';
import { differences, type Observation, runTwins } from './twin.ts';

type Rules = Readonly<Partial<Record<Family, readonly string[]>>>;

/** Runs filter rules on twins; every one must have a data path. What the kernel's side saw is returned. */
function compareFilter(
  rules: Rules,
  phases: readonly Phase[],
  prepare: (namespace: string) => void = () => undefined,
  others = '',
): Observation {
  const sets: { -readonly [F in keyof RuleSets]: RuleSets[F] } = {};
  for (const family of FAMILIES) {
    const lines = rules[family];
    if (lines === undefined) continue;
    policiesOf(filter(lines), family);
    sets[family] = others + filter(lines);
  }
  const options = {
    left: prepared(kernelFirewall, prepare),
    right: prepared(bpfilterFirewall, prepare),
    devices: DEVICES,
  };
  const [left, right] = runTwins(sets, phases, options);
  expect(differences(left, right)).toEqual([]);
  return left;
}

/** Whether the kernel counted packets for a rule that holds `words`. */
function counted(seen: Observation, family: Family, words: string): boolean {
  const line = seen.saved[family].split('\n').find((text) => text.includes(words));
  if (line === undefined) throw new Error(`no rule holds "${words}":\n${seen.saved[family]}`);
  return !line.startsWith('[0:');
}

const ip = (namespace: string, ...words: string[]): string => run('ip', ['-n', namespace, ...words]);

function eachChain(matches: readonly string[], chains = ['INPUT', 'FORWARD', 'OUTPUT']): readonly string[] {
  return chains.flatMap((chain) => matches.map((match) => `-A ${chain} ${match}`));
}

const frame = (device: number, packet: Uint8Array, destination?: Uint8Array): Stimulus => ({
  kind: 'frame',
  device,
  frame: frameAround(packet, macOf(device), destination === undefined ? {} : { destination }),
});

suite('surroundings of packets', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: groups of devices, processors, IPsec policies where there are none', (family) => {
    const into = ['--src-group 1', '! --src-group 1', '--src-group 5/7', '--src-group 0x85/0x7', '! --src-group 0/1'];
    const out = ['--dst-group 2', '! --dst-group 2', '--dst-group 0xa/0x8'];
    const policy = (direction: string): readonly string[] =>
      [
        '--pol none',
        '--pol ipsec',
        '--pol ipsec --strict --proto esp',
        '--pol ipsec ! --reqid 5 --mode tunnel',
        '--pol ipsec ! --proto ah ! --spi 4',
        '--pol ipsec --strict --proto esp --next --proto ah --spi 4',
      ].map((words) => `-m policy --dir ${direction} ${words}`);
    const rules = [
      ...eachChain(
        into.map((words) => `-m devgroup ${words}`),
        ['INPUT', 'FORWARD'],
      ),
      ...eachChain(
        out.map((words) => `-m devgroup ${words}`),
        ['OUTPUT', 'FORWARD'],
      ),
      ...eachChain(['-m cpu --cpu 0', '-m cpu ! --cpu 0', '-m cpu --cpu 1', '-m cpu --cpu 4294967295']),
      ...eachChain(policy('in'), ['INPUT', 'FORWARD']),
      ...eachChain(policy('out'), ['OUTPUT', 'FORWARD']),
    ];
    const seen = compareFilter({ [family]: rules }, phasesOf(family), (namespace) => {
      ip(namespace, 'link', 'set', 'eth0', 'group', '1');
      ip(namespace, 'link', 'set', 'eth1', 'group', '10');
    });
    expect(counted(seen, family, '-A INPUT -m devgroup --src-group 0x1')).toBe(true);
    expect(counted(seen, family, '-A FORWARD -m policy --dir in --pol none')).toBe(true);
  });

  it('realms of routes', () => {
    const realms = ['3', '! 3', '0x10003', '0x30000/0xffff0000', '! 1/1', '0'];
    const words = realms.map((text) => `-m realm ${text.replace(/^(! )?/, '$1--realm ')}`);
    const seen = compareFilter({ ipv4: eachChain(words) }, phasesOf('ipv4'), (namespace) => {
      for (const [table, realm] of [
        ['1000', '3'],
        ['1001', '3/1'],
      ] as const) {
        const route = ip(namespace, '-4', 'route', 'show', 'table', table).trim().split(/\s+/);
        ip(namespace, '-4', 'route', 'replace', ...route, 'table', table, 'realm', realm);
      }
    });
    expect(counted(seen, 'ipv4', '-A FORWARD -m realm --realm 0x3')).toBe(true);
  });

  it.each(FAMILIES)('%s: the clock', (family) => {
    const at = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 19);
    const time = (hours: number): string => at(hours).slice(11);
    const day = (hours: number): string =>
      ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][new Date(Date.now() + hours * 3_600_000).getUTCDay()]!;
    const month = (hours: number): string => String(new Date(Date.now() + hours * 3_600_000).getUTCDate());
    // Hours away from every border, so that both sides see the same.
    const matches = [
      `--datestart ${at(-2)} --datestop ${at(2)}`,
      `--datestart ${at(2)}`,
      `--datestop ${at(-2)}`,
      `--timestart ${time(-2)} --timestop ${time(2)}`,
      `--timestart ${time(2)} --timestop ${time(-2)}`,
      `--timestart ${time(1)} --timestop ${time(3)}`,
      `--weekdays ${day(0)}`,
      `! --weekdays ${day(0)}`,
      `--weekdays ${day(24)},${day(48)}`,
      `--monthdays ${month(0)}`,
      `! --monthdays ${month(0)}`,
      `--monthdays ${month(24)}`,
      `--timestart ${time(2)} --timestop ${time(1)} --kerneltz`,
      `--weekdays ${day(0)} --kerneltz`,
      `--monthdays ${month(0)} --datestart ${at(-1)} --kerneltz`,
    ];
    const [late, early] = [time(2), time(1)];
    // Goes on over midnight, for the day before if it is already past it.
    if (late > early)
      for (const hours of [-24, 0, 24])
        matches.push(
          `--timestart ${late} --timestop ${early} --contiguous --weekdays ${day(hours)}`,
          `--timestart ${late} --timestop ${early} --contiguous --monthdays ${month(hours)}`,
          `--timestart ${late} --timestop ${early} --contiguous --monthdays ${month(hours)} --kerneltz`,
        );
    const seen = compareFilter({ [family]: eachChain(matches.map((words) => `-m time ${words}`)) }, phasesOf(family));
    expect(seen.saved[family].match(/^\[[1-9]\d*:\d+\] -A FORWARD -m time/gm)?.length).toBeGreaterThan(4);
  });

  it.each(FAMILIES)('%s: types of addresses', (family) => {
    const types =
      family === 'ipv4'
        ? [
            'LOCAL',
            'UNICAST',
            'BROADCAST',
            'MULTICAST',
            'ANYCAST',
            'UNREACHABLE',
            'UNSPEC',
            'LOCAL,BROADCAST',
            'UNICAST,MULTICAST',
          ]
        : [
            'LOCAL',
            'UNICAST',
            'MULTICAST',
            'ANYCAST',
            'UNREACHABLE',
            'UNSPEC',
            'LOCAL,ANYCAST',
            'UNICAST,LOCAL',
            'UNICAST,UNREACHABLE',
          ];
    const both = types.flatMap((type) => [
      `--dst-type ${type}`,
      `! --src-type ${type}`,
      `--src-type ${type} ! --dst-type LOCAL`,
    ]);
    const limited = (option: string): readonly string[] =>
      types.flatMap((type) => [`--dst-type ${type} ${option}`, `! --src-type ${type} ${option}`]);
    const rules = [
      ...eachChain(both.map((words) => `-m addrtype ${words}`)),
      ...eachChain(
        limited('--limit-iface-in').map((words) => `-m addrtype ${words}`),
        ['INPUT', 'FORWARD'],
      ),
      ...eachChain(
        limited('--limit-iface-out').map((words) => `-m addrtype ${words}`),
        ['OUTPUT', 'FORWARD'],
      ),
    ];
    const seen = compareFilter({ [family]: rules }, phasesOf(family), (namespace) => {
      const anycast = family === 'ipv4' ? '10.2.0.1' : 'fd02::1';
      ip(
        namespace,
        family === 'ipv4' ? '-4' : '-6',
        'route',
        'add',
        family === 'ipv4' ? 'broadcast' : 'anycast',
        anycast,
        'dev',
        'eth1',
        'table',
        'local',
      );
      if (family === 'ipv6') ip(namespace, '-6', 'route', 'add', 'unreachable', 'fd01::7');
    });
    expect(counted(seen, family, '-A INPUT -m addrtype --dst-type LOCAL\n'.trim())).toBe(true);
  });
});

/** A conversation through the device under test, or with it: payloads in turn from both sides. */
function conversation(family: Family, path: Phase['path'], payloads: readonly (readonly [boolean, Payload])[]): Phase {
  const [client, server] = family === 'ipv4' ? ['10.1.0.1', '10.2.0.1'] : ['fd01::1', 'fd02::1'];
  const own = family === 'ipv4' ? '10.200.0.1' : 'fdbf:0::1';
  const stimuli = payloads.map(([fromClient, payload]): Stimulus => {
    if (path.kind === 'forward')
      return fromClient
        ? frame(0, packetOf(family, client!, server!, payload))
        : frame(1, packetOf(family, server!, client!, payload));
    return fromClient
      ? frame(0, packetOf(family, client!, own, payload))
      : { kind: 'local', family, packet: packetOf(family, own, client!, payload) };
  });
  return { path, stimuli };
}

const udpTalk: readonly (readonly [boolean, Payload])[] = Array.from({ length: 24 }, (_, at) => [
  at % 3 !== 1,
  udp({
    source: at % 3 === 1 ? 2000 : 4000,
    destination: at % 3 === 1 ? 4000 : 2000,
    data: new Uint8Array((at * 37) % 300),
  }),
]);

suite('connections', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: bytes, packets, averages', (family) => {
    const ranges = ['0:3', '4:9', '10', '700:1500', '! 4:9', '! 100:200', '1501', '90:130', '! 7:7'];
    const rules = eachChain(
      ['packets', 'bytes', 'avgpkt'].flatMap((mode) =>
        ['original', 'reply', 'both'].flatMap((direction) =>
          ranges.map((range) => {
            const [, bang = '', numbers = ''] = /^(! )?(.*)$/.exec(range) ?? [];
            return `-m connbytes ${bang}--connbytes ${numbers} --connbytes-mode ${mode} --connbytes-dir ${direction}`;
          }),
        ),
      ),
    );
    const phases = [conversation(family, FORWARD, udpTalk), conversation(family, INPUT, udpTalk)];
    const seen = compareFilter({ [family]: rules }, phases);
    expect(
      counted(seen, family, '-A FORWARD -m connbytes --connbytes 10 --connbytes-mode packets --connbytes-dir both'),
    ).toBe(true);
    expect(
      counted(seen, family, '-A FORWARD -m connbytes --connbytes 90:130 --connbytes-mode avgpkt --connbytes-dir both'),
    ).toBe(true);
  });

  it.each(FAMILIES)('%s: labels, put on by the kernel in table mangle', (family) => {
    const rules = eachChain(
      [0, 5, 63, 64, 127].flatMap((label) => [`-m connlabel --label ${label}`, `-m connlabel ! --label ${label}`]),
    );
    const labels = [0, 63, 64, 127].map(
      (label, at) => `-A PREROUTING -m length --length ${60 * at}:${60 * at + 200} -m connlabel --label ${label} --set`,
    );
    const mangle = ['*mangle', ...labels, 'COMMIT', ''].join('\n');
    const phases = [conversation(family, FORWARD, udpTalk), conversation(family, INPUT, udpTalk)];
    const seen = compareFilter({ [family]: rules }, phases, () => undefined, mangle);
    expect(counted(seen, family, '-A FORWARD -m connlabel --label "127"')).toBe(true);
    expect(counted(seen, family, '-A FORWARD -m connlabel ! --label "5"')).toBe(true);
  });

  it.each(FAMILIES)('%s: helpers', (family) => {
    const names = ['tftp', '"tftp-69"', 'tft', 'ftp', '""', 'tftpserver'];
    const rules = eachChain(names.flatMap((name) => [`-m helper --helper ${name}`, `-m helper ! --helper ${name}`]));
    const request = new TextEncoder().encode('\0\x01file\0octet\0');
    const talk: readonly (readonly [boolean, Payload])[] = [
      [true, udp({ source: 4000, destination: 69, data: request })],
      [false, udp({ source: 3456, destination: 4000, data: new Uint8Array(16) })],
      [true, udp({ source: 4000, destination: 3456, data: new Uint8Array(4) })],
      [false, udp({ source: 3457, destination: 4000, data: new Uint8Array(16) })],
      [true, udp({ source: 4001, destination: 53, data: new Uint8Array(4) })],
    ];
    const phases = [conversation(family, FORWARD, talk), conversation(family, INPUT, talk)];
    const seen = compareFilter({ [family]: rules }, phases, (namespace) => {
      const assign = 'udp dport 69 ct helper set "t"';
      const table = `table ${family === 'ipv4' ? 'ip' : 'ip6'} bf_helper {
        ct helper t { type "tftp" protocol udp; }
        chain in { type filter hook prerouting priority -150; ${assign}; }
        chain out { type filter hook output priority -150; ${assign}; }
      }`;
      withNamespace(namespace, () => run('nft', ['-f', '-'], table));
    });
    expect(counted(seen, family, '-A FORWARD -m helper --helper tftp-69')).toBe(true);
    expect(counted(seen, family, '-A FORWARD -m helper --helper ftp')).toBe(false);
  });

  it.each(FAMILIES)('%s: every criterion of conntrack', (family) => {
    const address =
      family === 'ipv4' ? ['10.1.0.1', '10.2.0.0/16', '10.200.0.1'] : ['fd01::1', 'fd02::/16', 'fdbf:0::1'];
    const matches = [
      ...['ctorigsrc', 'ctorigdst', 'ctreplsrc', 'ctrepldst'].flatMap((name) =>
        address.flatMap((text) => [`--${name} ${text}`, `! --${name} ${text}`]),
      ),
      ...['ctorigsrcport', 'ctorigdstport', 'ctreplsrcport', 'ctrepldstport'].flatMap((name) => [
        `--${name} 2000`,
        `! --${name} 2000:4000`,
        `--${name} 80:3999`,
      ]),
      ...['EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED', 'NONE', 'SEEN_REPLY,ASSURED'].flatMap((status) => [
        `--ctstatus ${status}`,
        `! --ctstatus ${status}`,
      ]),
      ...['0', '1:60', '! 20:200', '100:4294967295', '! 0:15'].map(
        (range) => `${range.replace(/^(! )?/, '$1--ctexpire ')}`,
      ),
      ...['tcp', 'udp', '17', 'icmp'].flatMap((protocol) => [`--ctproto ${protocol}`, `! --ctproto ${protocol}`]),
      '--ctdir ORIGINAL',
      '--ctdir REPLY',
      '--ctstate NEW --ctdir ORIGINAL ! --ctproto tcp',
      '--ctstate INVALID,ESTABLISHED --ctstatus SEEN_REPLY --ctexpire 1:4000',
    ].filter((words) => !/ctproto icmp/.test(words) || family === 'ipv4');
    const talk: readonly (readonly [boolean, Payload])[] = [
      ...udpTalk,
      [true, tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.SYN })],
      [false, tcp({ source: 80, destination: 4000, flags: TCP_FLAGS.SYN | TCP_FLAGS.ACK, acknowledgment: 1 })],
      [true, tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.ACK, sequence: 1, acknowledgment: 1 })],
      [true, tcp({ source: 4000, destination: 81, flags: TCP_FLAGS.ACK, sequence: 9 })],
    ];
    const phases = [conversation(family, FORWARD, talk), conversation(family, INPUT, talk)];
    compareFilter({ [family]: eachChain(matches.map((words) => `-m conntrack ${words}`)) }, phases);
  });
});
