/** Policies on a device of which no difference is printed, and the same chain of the kernel's iptables: the same frames, every counter. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPacketSocket } from '../../src/kernel/packet-socket.ts';
import { indexOfDevice } from '../../src/kernel/rtnetlink.ts';
import { ethernet, ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { DeviceKind } from '../../src/packet/device-kind.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { icmp, tcp, truncated, udp } from '../../src/packet/transport.ts';
import { packetsFor } from '../generate/index.ts';
import { policiesOf } from '../generate/policies.ts';
import { ipBatch, run } from '../support/command.ts';
import { ADDRESS, buildSmallLab, type SmallLab } from '../support/small-lab.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const MAC = { own: 0x0277_0000_0002, peer: 0x0277_0000_0001 } as const;
const KINDS = ['xdp', 'tc-ingress'] as const satisfies readonly DeviceKind[];
const RULES = [
  ':PREROUTING ACCEPT [0:0]',
  ':a - [0:0]',
  ':b - [0:0]',
  '-A PREROUTING -p tcp -j a',
  '-A PREROUTING -p udp -m udp --dport 53 -j b',
  '-A PREROUTING -p udp -m multiport --dports 1000:2000,3000',
  '-A PREROUTING -p tcp -m tcp --tcp-option 2 -j DROP',
  '-A a -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j RETURN',
  '-A a -p tcp -m tcp --dport 80 -j DROP',
  '-A a -p tcp -m mac --mac-source 02:77:00:00:00:01 -m multiport --dports 1:50',
  '-A a -p tcp -m mac ! --mac-source 02:77:00:00:00:01 -j DROP',
  '-A a -p tcp -g b',
  '-A b -p udp -m udp --sport 0:1023 -j DROP',
  '-A b -m statistic --mode nth --every 3 --packet 0 -j ACCEPT',
] as const;
const OWN: Readonly<Record<Family, readonly string[]>> = {
  ipv4: [
    '-A PREROUTING -f -j DROP',
    '-A PREROUTING -p icmp -m icmp --icmp-type 8 -j DROP',
    '-A PREROUTING -m ttl --ttl-lt 5 -j DROP',
    '-A PREROUTING -s 10.77.0.0/25 -m tos --tos 0x10/0x3f',
  ],
  ipv6: [
    '-A PREROUTING -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j DROP',
    '-A PREROUTING -m hl --hl-lt 5 -j DROP',
    '-A PREROUTING -s fd77::/65 -m dscp --dscp 0x08',
  ],
};

/** Rules with memory are a difference at XDP. */
function textOf(kind: DeviceKind, family: Family): string {
  const rules = RULES.filter((rule) => kind !== 'xdp' || !rule.includes('statistic'));
  return `*mangle\n${[...rules, ...OWN[family]].join('\n')}\nCOMMIT\n`;
}

/** Headers in front, fragments and truncated headers: what other firewalls at XDP have been wrong about. */
function awkward(family: Family): readonly Uint8Array[] {
  const inner = [
    tcp({ destination: 80, flags: 16 }),
    udp({ destination: 53, source: 9 }),
    icmp({ type: family === 'ipv4' ? 8 : 128 }),
  ];
  const cut = [truncated(tcp({ destination: 80 }), 13), truncated(udp({ destination: 53 }), 5)];
  if (family === 'ipv4') {
    const base = { source: ADDRESS.peer, destination: ADDRESS.filtered } as const;
    return [
      ...[...inner, ...cut].flatMap((payload) => [
        ipv4(base, payload),
        ipv4({ ...base, options: Uint8Array.of(1, 1, 1, 0) }, payload),
      ]),
      ...inner.flatMap((payload) => [
        ipv4({ ...base, moreFragments: 1 }, payload),
        ipv4({ ...base, fragmentOffset: 1 }, payload),
        ipv4({ ...base, fragmentOffset: 185, ttl: 2 }, payload),
      ]),
    ];
  }
  const base = { source: ADDRESS.peer6, destination: ADDRESS.filtered6 } as const;
  return [...inner, ...cut].flatMap((payload) => [
    ipv6(base, payload),
    ...(
      [
        [{ kind: 'fragment', offset: 0, more: 1 }],
        [{ kind: 'fragment', offset: 9 }],
        [{ kind: 'routing' }],
        [{ kind: 'ah' }],
        [{ kind: 'destination' }, { kind: 'fragment', offset: 0, more: 1 }],
        [{ kind: 'routing' }, { kind: 'fragment', offset: 3 }],
      ] as const
    ).map((extensions) => ipv6({ ...base, extensions }, payload)),
  ]);
}

/** What the stack looks at before its first table is not for a policy. */
function reachesTables(family: Family, packet: Uint8Array): boolean {
  if (family === 'ipv4') return packet.length >= 20;
  const source = packet.subarray(8, 24);
  return (
    packet.length >= 40 &&
    packet[6] !== 0 &&
    source[0] !== 0xff &&
    source[0] !== 0 &&
    packet[24] !== 0 &&
    packet[24] !== 0xff
  );
}

suite('policies on a device and the kernel', DIFFERENTIAL, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bpfilter-device-'));
  let lab: SmallLab;

  beforeAll(() => {
    lab = buildSmallLab('wh-policies');
    // Nobody answers, so nothing but the frames is counted.
    ipBatch(['rule add pref 1 iif f0 blackhole'], { namespace: lab.namespace });
    ipBatch(['rule add pref 1 iif f0 blackhole'], { namespace: lab.namespace, family: '-6' });
  });
  afterAll(async () => {
    await lab.close();
    rmSync(directory, { recursive: true });
  });

  const counters = (text: string): readonly string[] =>
    text.split('\n').filter((line) => line.startsWith('[') || line.startsWith(':PREROUTING'));

  it.each(KINDS.flatMap((kind) => FAMILIES.map((family) => [kind, family] as const)))(
    'count the same: %s %s',
    async (kind, family) => {
      const text = textOf(kind, family);
      const [policy] = policiesOf(text, family);
      const packets = [
        ...awkward(family),
        ...packetsFor(policy!, { limit: 120 })
          .map(({ packet }) => packet.bytes)
          .filter((bytes) => reachesTables(family, bytes)),
      ];
      const frames = packets.map((packet, index) => {
        // Priority tags: the kernel looks through these, and here there are no VLAN devices.
        const vlans = [[], [{ id: 0 }], [], [{ id: 0 }, { id: 0 }]][index % 4]!;
        const frame = ethernet({ source: MAC.peer, destination: MAC.own, vlans }, packet);
        return index % 3 === 0 ? Uint8Array.from([...frame, 1, 2, 3, 4, 5, 6]) : frame;
      });
      const send = async (): Promise<void> => {
        const socket = withNamespace(lab.peer, () => openPacketSocket({ ifindex: indexOfDevice('p0'), protocol: 0 }));
        for (const frame of frames) socket.send(frame);
        socket.close();
        await new Promise((resolve) => setTimeout(resolve, 300));
      };
      const prefix = family === 'ipv4' ? 'iptables' : 'ip6tables';
      const environment = { XTABLES_LOCKFILE: '/run/wh.lock' };
      const restore = (rules: string): string =>
        run('ip', ['netns', 'exec', lab.namespace, `${prefix}-legacy-restore`], rules, environment);
      restore(text);
      await send();
      const wanted = counters(lab.inside(`${prefix}-legacy-save`, '-c', '-t', 'mangle'));
      restore('*mangle\nCOMMIT\n');
      const file = join(directory, family === 'ipv4' ? 'rules.v4' : 'rules.v6');
      writeFileSync(file, text);
      const hook = `${kind}:f0`;
      const applied = await lab.bpfilter('apply', '--strict', '--hook', hook, '--chain', 'mangle/PREROUTING', file);
      expect(applied.status, applied.stderr).toBe(0);
      await send();
      const got = counters((await lab.bpfilter('save', '-c', '--hook', hook, family === 'ipv4' ? '-4' : '-6')).stdout);
      expect((await lab.bpfilter('flush')).status).toBe(0);
      expect(got).toEqual(wanted);
      expect(wanted.filter((line) => !line.includes('[0:0]')).length).toBeGreaterThan(8);
    },
  );

  it('packets that go out meet a policy behind all others, and are answered', async () => {
    const file = join(directory, 'rules.v4');
    const rules = ['-A OUTPUT -p udp -m udp --dport 9 -j REJECT', '-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset'];
    writeFileSync(file, `*filter\n:OUTPUT ACCEPT [0:0]\n${rules.join('\n')}\nCOMMIT\n`);
    ipBatch(['rule del pref 1'], { namespace: lab.namespace });
    const applied = await lab.bpfilter('apply', '--hook', 'tc-egress:f0', file);
    expect(applied.status, applied.stderr).toBe(0);
    const connect = (): string => lab.inside('timeout', '5', 'bash', '-c', `exec 3<>/dev/tcp/${ADDRESS.peer}/80`);
    expect(connect).toThrow(/refused/);
    const talk = `exec 3<>/dev/udp/${ADDRESS.peer}/9; echo a >&3; sleep 0.1; echo b >&3`;
    expect(() => lab.inside('bash', '-c', talk)).toThrow(/refused/);
    const saved = (await lab.bpfilter('save', '-c', '--hook', 'tc-egress:f0')).stdout;
    expect(saved).toContain('[1:60] -A OUTPUT -p tcp -j REJECT');
    await lab.bpfilter('flush');
  });

  it('probabilities above a half hold', async () => {
    const file = join(directory, 'rules.v4');
    const rules = '-A INPUT -p udp -m statistic --mode random --probability 0.9 -j DROP';
    writeFileSync(file, `*filter\n:INPUT ACCEPT [0:0]\n${rules}\nCOMMIT\n`);
    expect((await lab.bpfilter('apply', '--hook', 'tc-ingress:f0', file)).status).toBe(0);
    lab.send(7, 2000);
    const saved = (await lab.bpfilter('save', '-c', '--hook', 'tc-ingress:f0')).stdout;
    const [, dropped = '0'] = /\[(\d+):\d+\] -A INPUT/.exec(saved) ?? [];
    expect(Number(dropped)).toBeGreaterThan(1700);
    expect(Number(dropped)).toBeLessThan(1940);
    await lab.bpfilter('flush');
  });
});
