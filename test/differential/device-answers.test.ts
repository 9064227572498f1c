/** Answers of REJECT that a program on a device sends, and those of the kernel's REJECT, byte for byte. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPacketSocket } from '../../src/kernel/packet-socket.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';
import { ETHERTYPE, ethernet, ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { DeviceKind } from '../../src/packet/device-kind.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { icmp, TCP_FLAGS, tcp, udp } from '../../src/packet/transport.ts';
import { REJECT_WITH } from '../../src/policy/ir.ts';
import { run } from '../support/command.ts';
import { earlyForeign } from '../support/foreign-xdp.ts';
import { ADDRESS, buildSmallLab, type SmallLab } from '../support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const MAC = { own: 0x0277_0000_0002, peer: 0x0277_0000_0001 } as const;
const OWN = Buffer.from('027700000002', 'hex');
const V4 = { source: ADDRESS.peer, destination: ADDRESS.filtered } as const;
const V6 = { source: ADDRESS.peer6, destination: ADDRESS.filtered6 } as const;
const KINDS = ['xdp', 'tc-ingress'] as const satisfies readonly DeviceKind[];

const datagram = (bytes: number) => udp({ source: 1000, destination: 53, data: new Uint8Array(bytes).fill(7) });
const segment = (flags: number, bytes: number) =>
  tcp({
    source: 1000,
    destination: 80,
    sequence: 0x01020304,
    acknowledgment: 0x05060708,
    flags,
    data: new Uint8Array(bytes),
  });

const PACKETS = {
  ipv4: [
    ['a datagram', ipv4(V4, datagram(20))],
    ['a datagram of odd length', ipv4({ ...V4, tos: 0xb8 }, datagram(33))],
    ['a long datagram', ipv4(V4, datagram(1200))],
    ['with options', ipv4({ ...V4, options: Uint8Array.of(1, 1, 1, 0) }, datagram(9))],
    ['a later fragment', ipv4({ ...V4, fragmentOffset: 40 }, datagram(20))],
    ['an error', ipv4(V4, icmp({ type: 3, code: 1, data: ipv4({}, datagram(4)) }))],
  ],
  ipv6: [
    ['a datagram', ipv6(V6, datagram(20))],
    ['a datagram of odd length', ipv6({ ...V6 }, datagram(33))],
    ['a long datagram', ipv6(V6, datagram(1400))],
    ['with options', ipv6({ ...V6, extensions: [{ kind: 'hopByHop' }, { kind: 'destination' }] }, datagram(9))],
    ['a later fragment', ipv6({ ...V6, extensions: [{ kind: 'fragment', offset: 40 }] }, datagram(20))],
    ['an error', ipv6(V6, icmp({ type: 1, code: 1, data: ipv6({}, datagram(4)) }))],
  ],
} as const satisfies Record<Family, readonly (readonly [string, Uint8Array])[]>;

const SEGMENTS: readonly (readonly [string, number, number])[] = [
  ['syn', TCP_FLAGS.SYN, 0],
  ['data without acknowledgement', TCP_FLAGS.FIN, 11],
  ['data', TCP_FLAGS.ACK | TCP_FLAGS.PSH, 100],
  ['reset', TCP_FLAGS.RST, 0],
];

/** Without what an answer may differ in: the identification of IPv4, the flow label of IPv6, and what depends on them. (Without
 * ARP the kernel sends IPv6 to its own MAC address.) */
function comparable(frame: Uint8Array): string {
  const copy = Buffer.from(frame);
  if (copy.readUInt16BE(12) === ETHERTYPE.ipv4) {
    if (copy[23] === 1) copy.fill(0, 18, 20).fill(0, 24, 26);
  } else copy.fill(0, 0, 6).fill(0, 15, 18);
  return copy.toString('hex');
}

suite('answers of REJECT on a device', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-answers-'));
  let lab: SmallLab;
  let forget = (): void => {};

  beforeAll(() => {
    lab = buildSmallLab('wh-answers');
    for (const name of ['net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_ratemask=0', 'net.ipv6.icmp.ratelimit=0'])
      lab.inside('sysctl', '-qw', name);
    // What a veth device sends back from XDP arrives only at a peer that has an XDP program, too.
    const passing = earlyForeign(lab.peer, 'p0');
    forget = () => passing.close();
    // Else the kernel leaves the checksum of a reset to the device.
    lab.inside('ethtool', '-K', 'f0', 'tx', 'off');
  });
  afterAll(async () => {
    forget();
    await lab.close();
    rmSync(directory, { recursive: true });
  });

  /** What comes back for each frame. */
  const answers = async (packets: readonly Uint8Array[]): Promise<readonly string[]> => {
    const socket = withNamespace(lab.peer, () => openPacketSocket({ ifindex: indexOfDevice('p0') }));
    try {
      const out: string[] = [];
      for (const packet of packets) {
        socket.send(ethernet({ source: MAC.peer, destination: MAC.own }, packet));
        const got: string[] = [];
        for (let wait = 0; wait < 40 && got.length === 0; wait++) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          for (let frame = socket.receive(); frame !== undefined; frame = socket.receive())
            if (OWN.equals(frame.subarray(6, 12))) got.push(comparable(frame));
        }
        out.push(got.join(' ') || 'none');
      }
      return out;
    } finally {
      socket.close();
    }
  };

  const rulesOf = (protocol: string, answer: string): string =>
    `*filter\n:INPUT ACCEPT [0:0]\n-A INPUT ${protocol}-j REJECT --reject-with ${answer}\nCOMMIT\n`;

  const compare = async (
    kind: DeviceKind,
    family: Family,
    text: string,
    packets: readonly (readonly [string, Uint8Array])[],
  ) => {
    const restore = family === 'ipv4' ? 'iptables-legacy-restore' : 'ip6tables-legacy-restore';
    const inKernel = (rules: string): string =>
      run('ip', ['netns', 'exec', lab.namespace, restore], rules, { XTABLES_LOCKFILE: '/run/wh.lock' });
    const bytes = packets.map(([, packet]) => packet);
    inKernel(text);
    const wanted = await answers(bytes);
    inKernel('*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n');
    const file = join(directory, family === 'ipv4' ? 'rules.v4' : 'rules.v6');
    writeFileSync(file, text);
    const { status, stderr } = await lab.bpfilter('apply', '--hook', `${kind}:f0`, file);
    expect(status, stderr).toBe(0);
    const named = (list: readonly string[]) => Object.fromEntries(packets.map(([name], at) => [name, list[at]]));
    const got = await answers(bytes);
    expect((await lab.bpfilter('flush')).status).toBe(0);
    expect(named(got)).toEqual(named(wanted));
    return wanted.filter((item) => item !== 'none').length;
  };

  it.each(KINDS.flatMap((kind) => (['ipv4', 'ipv6'] as const).map((family) => [kind, family] as const)))(
    'are those of the kernel: %s %s',
    async (kind, family) => {
      let count = 0;
      for (const answer of REJECT_WITH[family].filter((item) => item !== 'tcp-reset'))
        count += await compare(kind, family, rulesOf('', answer), PACKETS[family]);
      const base = family === 'ipv4' ? V4 : V6;
      const segments = SEGMENTS.map(([name, flags, bytes]) => {
        const packet = family === 'ipv4' ? ipv4(base, segment(flags, bytes)) : ipv6(base, segment(flags, bytes));
        return [name, packet] as const;
      });
      count += await compare(kind, family, rulesOf('-p tcp ', 'tcp-reset'), segments);
      expect(count).toBeGreaterThan(20);
    },
  );
});
