/** Looking into lists and accounts and changing lists, against what the kernel shows and takes under /proc/net. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { changeRecentList, printHashlimit, printRecentList } from '../../src/firewall/named-tables.ts';
import { withExclusiveSession, withSession } from '../../src/firewall/session.ts';
import { readKernelFacts } from '../../src/kernel/facts.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { parseAddress } from '../../src/packet/address.ts';
import { udp } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { packetOf } from './asking.ts';
import { routeOf } from './route.ts';
import { frameAround, INPUT, type Stimulus } from './stimulus.ts';
import { differences, type Side, withTwins } from './twin.ts';

const RULES = [
  '*filter',
  '-A INPUT -m recent --name l --rcheck --hitcount 3 --rttl',
  '-A INPUT -m recent --name l --set',
  '-A INPUT -p udp -m hashlimit --hashlimit-upto 2/hour --hashlimit-burst 4 --hashlimit-mode srcip,dstport --hashlimit-name h --hashlimit-htable-expire 100000',
  '-A INPUT -p udp -m hashlimit --hashlimit-upto 1kb/s --hashlimit-burst 3kb --hashlimit-mode dstip --hashlimit-name b',
  'COMMIT',
  '',
].join('\n');

const SOURCES = ['10.1.0.1', '10.1.0.2', 'fd01::1', '10.1.0.3', 'fd01:0:0:5::2', '10.1.0.1'];

function frameFrom(source: string): Stimulus {
  const family = source.includes(':') ? 'ipv6' : 'ipv4';
  const target = family === 'ipv4' ? '10.2.0.1' : 'fd02::1';
  const packet = packetOf(family, source, target, udp({ source: 4000, destination: 7000 }));
  return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
}

function deliver(sides: readonly Side[], sources: readonly string[]): void {
  const stimuli = sources.map(frameFrom);
  for (const side of sides) {
    side.topology.deliver(routeOf({ path: INPUT, stimuli }));
    for (const stimulus of stimuli) side.send(stimulus);
    side.settle();
  }
}

/** Without times, which differ by a moment, in an order of their own. */
function timeless(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/last_seen: \d+/, '').replace(/\b\d{9,12}\b/g, 'T'))
    .sort();
}

/** Accounts without the seconds left and the credit. */
function accounts(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ').toSpliced(2, 1).slice(1).join(' '))
    .sort();
}

suite('lists and accounts', DIFFERENTIAL, () => {
  const facts = readKernelFacts();
  const sets = { ipv4: RULES, ipv6: RULES };
  const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };

  it('are shown and changed like those of the kernel', () => {
    withTwins(sets, options, (left, right) => {
      const kernel = (path: string): string =>
        withNamespace(left.topology.namespace, () => readFileSync(`/proc/thread-self/net/${path}`, 'latin1'));
      const ours = <T>(body: (layout: Parameters<typeof printRecentList>[0]) => T): T =>
        withSession(right.topology.namespace, ({ layout }) => body(layout));
      const compareLists = (): void => {
        expect(timeless(ours((layout) => printRecentList(layout, 'l')))).toEqual(timeless(kernel('xt_recent/l')));
      };
      const change = (word: string): void => {
        withNamespace(left.topology.namespace, () => writeFileSync('/proc/thread-self/net/xt_recent/l', `${word}\n`));
        const text = word.slice(1);
        const family = text.includes(':') ? 'ipv6' : 'ipv4';
        const address = parseAddress(text, family) ?? 0n;
        const kind = word.startsWith('+') ? 'add' : 'remove';
        withExclusiveSession(right.topology.namespace, 10, ({ layout }) =>
          changeRecentList(layout, 'l', word === '/' ? { kind: 'flush' } : { kind, family, address }, facts),
        );
      };

      deliver([left, right], SOURCES);
      compareLists();
      expect(accounts(ours((layout) => printHashlimit(layout, 'ipv4', 'h', facts.hz)))).toEqual(
        accounts(kernel('ipt_hashlimit/h')),
      );
      expect(accounts(ours((layout) => printHashlimit(layout, 'ipv6', 'b', facts.hz)))).toEqual(
        accounts(kernel('ip6t_hashlimit/b')),
      );
      for (const word of ['+10.1.0.9', '+10.1.0.1', '+fd01::9', '-10.1.0.2', '-10.9.9.9', '-fd01::1']) change(word);
      compareLists();
      deliver([left, right], ['10.1.0.9', '10.1.0.9', ...SOURCES]);
      compareLists();
      change('/');
      compareLists();
      deliver([left, right], SOURCES);
      compareLists();
      expect(differences(left.observe([]), right.observe([]))).toEqual([]);
    });
  });
});
