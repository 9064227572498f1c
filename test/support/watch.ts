/**
 * An nftables table beside the firewall under test: counts what comes out of it at each hook, and gives packets their marks
 * before it. Marks cannot cross a veth pair, so a frame's source address stands for its mark.
 */
import { withNamespace } from '../../src/kernel/namespace.ts';
import { run } from './command.ts';

const TABLE = 'inet bf_watch';
const HOOKS = ['input', 'forward', 'output'] as const;

/** Packets that arrive with this mark are not tracked. */
export const UNTRACKED_MARK = 0x756e;

/** Packets and bytes that passed the firewall, by hook, IPv4 and IPv6 apart. */
export type Delivered = Readonly<Record<string, string>>;

/** Source MAC address `xx:xx:xx:xx:xx:xx` to mark. */
export type MarkTable = ReadonlyMap<string, number>;

/** Installs the watcher in a namespace; it goes with the namespace. */
export function installWatch(namespace: string, marks: MarkTable = new Map()): void {
  const elements = [...marks].map(([mac, mark]) => `${mac} : ${mark >>> 0}`).join(', ');
  const marking =
    marks.size === 0
      ? ''
      : `  map marks { type ether_addr : mark; elements = { ${elements} }; }
  chain marking { type filter hook prerouting priority -450; meta mark set ether saddr map @marks; }
  chain untracking { type filter hook prerouting priority -310; meta mark ${UNTRACKED_MARK} notrack; }
`;
  const chains = HOOKS.map(
    (hook) => `  counter ${hook}4 { }
  counter ${hook}6 { }
  chain ${hook} {
    type filter hook ${hook} priority 2000;
    meta nfproto ipv4 counter name ${hook}4
    meta nfproto ipv6 counter name ${hook}6
  }
`,
  ).join('');
  withNamespace(namespace, () => run('nft', ['-f', '-'], `table ${TABLE} {\n${marking}${chains}}\n`));
}

/** Reads the watcher's counters. */
export function readWatch(namespace: string): Delivered {
  const text = withNamespace(namespace, () => run('nft', ['-j', 'list', 'counters', 'table', ...TABLE.split(' ')]));
  const { nftables } = JSON.parse(text) as {
    nftables: readonly { counter?: { name: string; packets: number; bytes: number } }[];
  };
  const entries = nftables.flatMap(({ counter }) =>
    counter === undefined ? [] : [[counter.name, `${counter.packets}:${counter.bytes}`] as const],
  );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
