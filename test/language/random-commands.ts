/** Random command lines of iptables: sensible ones, and what people type by mistake. */

export interface CommandSource {
  next(): readonly string[];
}

type Words = readonly string[];

const USER_CHAINS = ['foo', 'bar', 'baz', 'Zed', 'a-1'];
const BUILT_IN: Readonly<Record<string, Words>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  raw: ['PREROUTING', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};
const TABLES = ['filter', 'filter', 'filter', 'filter', 'nat', 'mangle', 'raw', 'security'];
const ADDRESSES = {
  ipv4: [
    '10.0.0.1',
    '10.0.0.0/8',
    '192.168.1.0/24',
    '1.2.3.4/255.255.0.0',
    '0.0.0.0/0',
    '1.1.1.1,2.2.2.2',
    '1.2.3',
    '300.1.1.1',
    '10.0.0.0/33',
  ],
  ipv6: ['2001:db8::1', 'fe80::/10', '::/0', '2001::1,2002::2', '2001::/129', '1.2.3.4'],
} as const;

/** Lines for the parsers of command lines; all of them end in a message or change nothing much. */
const ODD: readonly string[] = [
  '-A',
  '-A INPUT -p',
  '--nosuch',
  '-y',
  '-L -S',
  '-A INPUT -D INPUT',
  'INPUT',
  '-A INPUT stray',
  '! -A INPUT',
  '-A INPUT !',
  '-A INPUT ! ! -s 1.2.3.4',
  '-P INPUT',
  '-R INPUT',
  '-E foo',
  '-L INPUT -s 1.2.3.4',
  '-F INPUT -j ACCEPT',
  '-A INPUT -j ACCEPT -j DROP',
  '-A INPUT -s 1.1.1.1 -s 1.1.1.2',
  '-A INPUT --so 1.2.3.4',
  '-A INPUT --s 1.2.3.4',
  '-A INPUT -m tcp -p tcp --tcp-flags SYN',
  '-A INPUT -o eth0',
  '-A OUTPUT -i eth0',
  '-L nosuch',
  '-n',
  '-L -n -n',
  '-A INPUT -n',
  '-4 -L -n',
  '-6 -L -n',
  '-A INPUT -p tcp --dport',
  '-A INPUT --dport 22',
  '-A INPUT -c 5',
  '-A INPUT -c x 5',
  '-w -L -n',
  '-w 5 -L -n',
  '-wx -L',
  '-W 5 -L',
  '-L --line',
  '-Z INPUT 1 -L',
  '-L -Z INPUT',
  '--list-rules INPUT',
  '-D INPUT',
  '-t',
  '-A INPUT -g ACCEPT',
  '-A INPUT -m',
  '-A FORWARD -j',
  '-A INPUT -p tcp -p udp',
  '-A INPUT --destination-port 5',
  '--list --numeric --verbose --exact',
  '-A INPUT -m limit --limit 5/fortnight',
  '-A INPUT -j LOG --log-level 99',
];

/** Commands for one family; the same seed gives the same. */
export function commandSource(seed: number, family: 'ipv4' | 'ipv6'): CommandSource {
  let state = seed >>> 0 || 1;
  const random = (): number => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 32;
  };
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const chance = (share: number): boolean => random() < share;
  const words = (line: string): Words => line.split(' ');
  const maybeNot = (list: Words): Words => (chance(0.15) ? ['!', ...list] : list);
  const four = family === 'ipv4';

  const match = (): Words =>
    pick([
      ['-m', 'state', '--state', pick(['NEW', 'ESTABLISHED,RELATED', 'INVALID', 'WRONG'])],
      ['-m', 'conntrack', '--ctstate', pick(['NEW', 'RELATED,ESTABLISHED', 'DNAT'])],
      ['-m', 'limit', '--limit', pick(['5/s', '3/min', '10/hour'])],
      ['-m', 'comment', '--comment', pick(['hello', 'two words', 'x"y'])],
      ['-m', 'mark', ...maybeNot(['--mark', pick(['1', '0x10/0xff', '99999999999'])])],
      words('-m mac --mac-source 00:11:22:33:44:55'),
      ['-m', 'addrtype', '--dst-type', pick(['LOCAL', 'BROADCAST', 'LOCAL,MULTICAST'])],
      words(four ? '-m iprange --src-range 1.1.1.1-1.1.1.9' : '-m iprange --dst-range ::1-::9'),
      ['-m', 'length', '--length', pick(['5', '1:100', ':9', '70000'])],
      ['-m', 'pkttype', '--pkt-type', pick(['unicast', 'multicast', 'bad'])],
      words('-m statistic --mode nth --every 3'),
      words('-m statistic --mode random --probability 0.25'),
      words('-m recent --set --name r1'),
      words(four ? '-m ttl --ttl-gt 5' : '-m hl --hl-gt 5'),
      words('-m nosuch'),
      words('-m tcp --dport 80'),
    ]);
  const protocol = (): Words =>
    words(
      pick([
        '-p tcp',
        '-p udp',
        '-p tcp --dport 22',
        '-p tcp --dport ssh',
        '-p tcp --dport nosuch',
        '-p tcp --dport 70000',
        '-p udp --sport 1:9',
        '-p tcp --syn',
        '-p tcp -m multiport --dports 22,80',
        four ? '-p icmp --icmp-type 8' : '-p ipv6-icmp --icmpv6-type 128',
        '! -p udp',
        '-p nosuch',
        '-p all',
        '-p 47',
        '-p TCP',
        '--protocol tcp --dport 5 --sport 6',
        '! -p all',
      ]),
    );
  const target = (table: string): Words => {
    const list: Words[] = [
      ...[
        '-j ACCEPT',
        '-j DROP',
        '-j RETURN',
        '-j NOSUCH',
        '-j LOG',
        '-j REJECT',
        '-j MARK --set-mark 5',
        '-j NFLOG --nflog-group 3',
        '-j INPUT',
        '-j QUEUE',
      ].map(words),
      ['-j', pick(USER_CHAINS)],
      ['-j', pick(USER_CHAINS)],
      ['-g', pick(USER_CHAINS)],
      [],
      ['-j', 'LOG', '--log-prefix', pick(['x', 'a b']), '--log-level', pick(['4', 'debug'])],
      [
        '-j',
        'REJECT',
        '--reject-with',
        four ? pick(['icmp-host-prohibited', 'bad', 'tcp-reset']) : 'icmp6-adm-prohibited',
      ],
    ];
    if (table === 'nat')
      list.push(['-j', 'MASQUERADE'], ['-j', 'DNAT', '--to-destination', four ? '1.2.3.4' : '2001::5']);
    return pick(list);
  };
  const rule = (table: string): Words => {
    const list: string[] = [];
    if (chance(0.35)) list.push(...maybeNot([pick(['-s', '--source', '--src']), pick(ADDRESSES[family])]));
    if (chance(0.25)) list.push(...maybeNot([pick(['-d', '--dest', '--destination']), pick(ADDRESSES[family])]));
    if (chance(0.2)) list.push(...maybeNot(['-i', pick(['eth0', 'eth+', 'lo', 'averyveryverylongname'])]));
    if (chance(0.1)) list.push(...maybeNot(['-o', 'eth1']));
    if (chance(0.4)) list.push(...protocol());
    if (chance(0.3)) list.push(...match());
    if (chance(0.06) && four) list.push(...maybeNot(['-f']));
    if (chance(0.08)) list.push('-c', pick(['5', '0', '123456789']), pick(['6', '99999999']));
    return [...list, ...target(table)];
  };
  /** Rules that were added, to be deleted and looked for. */
  const added: { readonly chain: string; readonly rule: Words; readonly table: string }[] = [];
  const numbers = ['1', '1', '2', '3', '9', '0', 'x', '1000'];

  const command = (): Words => {
    const table = chance(0.01) ? 'nosuch' : pick(TABLES);
    const inTable = table === 'filter' && chance(0.7) ? [] : [pick(['-t', '--table']), table];
    const chain = (): string =>
      pick(chance(0.6) ? (BUILT_IN[table] ?? ['INPUT']) : [...USER_CHAINS, 'NOCHAIN', 'INPUT']);
    const some = (share: number, list: () => Words): Words => (chance(share) ? list() : []);
    const verbose = some(0.08, () => ['-v']);
    const number = (): Words => [pick(numbers)];
    const remember = (): Words => {
      const item = { chain: chain(), rule: rule(table), table };
      added.push(item);
      return [item.chain, ...item.rule];
    };
    const kind = random();
    if (kind < 0.3) return [...inTable, pick(['-A', '--append']), ...remember(), ...verbose];
    if (kind < 0.38) {
      const [to = '', ...rest] = remember();
      return [...inTable, '-I', to, ...some(0.6, number), ...rest, ...verbose];
    }
    if (kind < 0.42) return [...inTable, '-D', chain(), ...number()];
    if (kind < 0.5) {
      const item = added.length > 0 ? pick(added) : { chain: chain(), rule: rule(table), table };
      return ['-t', item.table, pick(['-D', '-C', '--delete', '--check']), item.chain, ...item.rule, ...verbose];
    }
    if (kind < 0.54) return [...inTable, '-R', chain(), ...number(), ...rule(table)];
    if (kind < 0.6)
      return [
        ...inTable,
        '-N',
        pick([...USER_CHAINS, 'INPUT', 'ACCEPT', '-x', 'averyveryveryverylongchainname1', 'LOG', 'has space']),
      ];
    if (kind < 0.63) return [...inTable, '-X', ...some(0.7, () => [chain()]), ...verbose];
    if (kind < 0.65) return [...inTable, '-E', chain(), pick([...USER_CHAINS, 'INPUT'])];
    if (kind < 0.69) return [...inTable, '-P', chain(), pick(['ACCEPT', 'DROP', 'REJECT', 'foo'])];
    if (kind < 0.72) return [...inTable, '-F', ...some(0.8, () => [chain()]), ...verbose];
    if (kind < 0.76) return [...inTable, '-Z', ...some(0.6, () => [chain(), ...some(0.4, number)]), ...verbose];
    const where = some(0.5, () => [chain(), ...some(0.2, number)]);
    if (kind < 0.88)
      return [
        ...inTable,
        '-L',
        ...where,
        ...words(pick(['-n', '-n -v', '-nvx', '-v', '--line-numbers -n', '-nv --line-numbers', '-Z -n'])),
      ];
    if (kind < 0.93) return [...inTable, '-S', ...where, ...verbose];
    if (kind < 0.97) return words(pick(ODD));
    return [
      ...inTable,
      '-A',
      chain(),
      ...rule(table),
      pick(['-Z', '-x', '--line-numbers', '-v', '-n', '--modprobe=x']),
    ];
  };
  return { next: command };
}
