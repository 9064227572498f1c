/** What comparisons of matches share that the kernel answers ahead of our programs: prepared twins, packets. */
import { expect } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { icmp, type Payload, sctp, TCP_FLAGS, tcp, truncated, udp } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { macOf } from '../support/topology.ts';
import { nastyStimuli } from './nasties.ts';
import { FORWARD, frameAround, INPUT, type Phase, type Stimulus } from './stimulus.ts';
import type { TwinOptions } from './twin.ts';

/** Devices under test. */
export const DEVICES = ['eth0', 'eth1'];

/** The same firewall in a namespace that has been prepared: by programs of the system that make what rules name. */
export function prepared(kind: FirewallKind, prepare: (namespace: string) => void): FirewallKind {
  return {
    label: kind.label,
    open(namespace) {
      prepare(namespace);
      return kind.open(namespace);
    },
  };
}

/** bpfilter, which must not leave the table with the kernel. */
export const asking: FirewallKind = {
  label: 'bpfilter',
  open(namespace) {
    const firewall = bpfilterFirewall.open(namespace);
    return {
      ...firewall,
      apply(sets) {
        firewall.apply(sets);
        for (const family of Object.keys(sets) as Family[]) expect(askedChains(namespace, family)).not.toEqual([]);
      },
    };
  },
};

/** Names of the chains that ask, in a family. */
export function askedChains(namespace: string, family: Family): readonly string[] {
  const list = withNamespace(namespace, () => run('nft', ['list', 'chains', family === 'ipv4' ? 'ip' : 'ip6']));
  return [...list.matchAll(/chain (asked_\S+)/g)].map((found) => found[1] ?? '');
}

/** `ipset restore`, inside a namespace. */
export function ipset(namespace: string, lines: readonly string[]): void {
  withNamespace(namespace, () => run('ipset', ['restore'], `${lines.join('\n')}\n`));
}

/** Where packets come from and go to. */
export const ADDRESSES = {
  ipv4: ['10.1.0.1', '10.1.0.7', '10.2.0.1', '10.200.0.1', '192.168.3.4'],
  ipv6: ['fd01::1', 'fd01::7', 'fd02::1', 'fdbf:0::1', '2001:db8::4'],
} as const satisfies Record<Family, readonly string[]>;

/** A packet of a family around a payload. */
export function packetOf(family: Family, source: string, destination: string, payload: Payload): Uint8Array {
  return family === 'ipv4'
    ? ipv4({ source, destination, ttl: 9, id: 7 }, payload)
    : ipv6({ source, destination }, payload);
}

function payloadsOf(family: Family): readonly Payload[] {
  const echo = icmp({ type: family === 'ipv4' ? 8 : 128, data: new Uint8Array(8) });
  return [
    tcp({ source: 80, destination: 4000, flags: TCP_FLAGS.ACK }),
    tcp({ source: 4000, destination: 80, flags: TCP_FLAGS.SYN }),
    udp({ source: 53, destination: 53, data: new Uint8Array(4) }),
    udp({ source: 4000, destination: 2000, data: new Uint8Array(4) }),
    sctp({ source: 80, destination: 80 }),
    echo,
    truncated(tcp({ source: 4000, destination: 80 }), 3),
  ];
}

/** Every payload between all addresses, in turn on both links. */
export function stimuliOf(family: Family): readonly Stimulus[] {
  const addresses = ADDRESSES[family];
  return addresses.flatMap((source) =>
    addresses.flatMap((destination, at) =>
      payloadsOf(family).map((payload, index): Stimulus => {
        const device = (at + index) % 2;
        return {
          kind: 'frame',
          device,
          frame: frameAround(packetOf(family, source, destination, payload), macOf(device)),
        };
      }),
    ),
  );
}

/** The same forwarded, arriving and sent by the device itself, and the nasty ones. */
export function phasesOf(family: Family): readonly Phase[] {
  const stimuli = stimuliOf(family);
  const local = ADDRESSES[family].flatMap((destination) =>
    payloadsOf(family).map(
      (payload): Stimulus => ({
        kind: 'local',
        family,
        packet: packetOf(family, family === 'ipv4' ? '10.200.0.1' : 'fdbf:0::1', destination, payload),
      }),
    ),
  );
  return [
    { path: FORWARD, stimuli: [...stimuli, ...nastyStimuli(1)] },
    { path: INPUT, stimuli: [...stimuli, ...local, ...nastyStimuli(1)] },
  ];
}

/** A table with these rules; `filter` or `raw`. */
export function filter(rules: readonly string[], table = 'filter'): string {
  const chains = table === 'filter' ? ['INPUT', 'FORWARD', 'OUTPUT'] : ['PREROUTING', 'OUTPUT'];
  return [`*${table}`, ...chains.map((name) => `:${name} ACCEPT [0:0]`), ...rules, 'COMMIT', ''].join('\n');
}

/** The kernel's iptables and ours, in namespaces that have been prepared alike. */
export function twinOptions(prepare: (namespace: string) => void): Omit<TwinOptions, 'name'> {
  return { left: prepared(kernelFirewall, prepare), right: prepared(asking, prepare), devices: DEVICES };
}
