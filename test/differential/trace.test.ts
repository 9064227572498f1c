/** What TRACE has the kernel write about packets: the same lines as for iptables, whatever else could have been a program. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';

const NAME = 'bft-trace';
/** Number of the address family in the table of loggers, and where packets to ourselves go. */
const OWN = { ipv4: { pf: 2, address: '127.0.0.1' }, ipv6: { pf: 10, address: '::1' } } as const;

const RULES = [
  '*raw',
  ':PREROUTING ACCEPT [0:0]',
  ':OUTPUT ACCEPT [0:0]',
  '-A OUTPUT -p udp -m udp --dport 9 -j TRACE',
  '-A PREROUTING -p udp -m comment --comment "half way"',
  'COMMIT',
  '*mangle',
  ':OUTPUT ACCEPT [0:0]',
  ':POSTROUTING ACCEPT [0:0]',
  '-A OUTPUT -p udp -j MARK --set-mark 3',
  'COMMIT',
  '*filter',
  ':INPUT ACCEPT [0:0]',
  ':OUTPUT ACCEPT [0:0]',
  ':user - [0:0]',
  '-A INPUT -m mark --mark 3 -g user',
  '-A user -p tcp -j DROP',
  '-A user -p udp -j RETURN',
  '-A OUTPUT -p udp -m udp --dport 10',
  'COMMIT',
  '',
].join('\n');

/** The lines about two packets, of which the first is traced. */
function linesOf(kind: FirewallKind, family: Family): readonly string[] {
  const { pf, address } = OWN[family];
  const inside = (script: string): string => run('ip', ['netns', 'exec', NAME, 'bash', '-c', script]);
  const folder = mkdtempSync(join(tmpdir(), 'bft-trace-'));
  run('ip', ['netns', 'add', NAME]);
  const firewall = kind.open(NAME);
  try {
    inside(`ip link set lo up; echo nfnetlink_log > /proc/sys/net/netfilter/nf_log/${pf}`);
    firewall.apply({ [family]: RULES });
    const file = join(folder, 'log.pcap');
    inside(`
      tcpdump -Z root -i nflog:0 -U -w ${file} 2> ${folder}/said & dump=$!
      for try in $(seq 100); do grep -q listening ${folder}/said && break; sleep 0.1; done
      echo x > /dev/udp/${address}/9; echo y > /dev/udp/${address}/10; echo z > /dev/udp/${address}/9
      for try in $(seq 100); do [ "$(grep -a -o 'filter:user:rule:2' ${file} | wc -l)" -ge 2 ] && break; sleep 0.1; done
      sleep 0.2; kill $dump; wait $dump || true`);
    return inside(`grep -a -o 'TRACE: [A-Za-z0-9:_-]*' ${file}`).trim().split('\n');
  } finally {
    firewall.close();
    run('ip', ['netns', 'del', NAME]);
    rmSync(folder, { recursive: true });
  }
}

suite('packets that are traced', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: every rule they match is written down', (family) => {
    const expected = linesOf(kernelFirewall, family);
    expect(linesOf(bpfilterFirewall, family)).toEqual(expected);
    expect(expected.filter((line) => line === 'TRACE: filter:user:rule:2')).toHaveLength(2);
    expect(expected).toContain('TRACE: mangle:OUTPUT:rule:1');
  });
});
