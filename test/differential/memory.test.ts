/** quota, recent and hashlimit over time, against iptables: bursts and refills, seconds, full tables, replaced rules. */
import { expect, it } from 'vitest';
import { FAMILIES } from '../../src/packet/netfilter.ts';
import { tcp } from '../../src/packet/transport.ts';
import type { RuleSets } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { packetOf } from './asking.ts';
import { nastyStimuli } from './nasties.ts';
import { filter, HOST, play, type Step, send, TARGET, table, times, wait } from './steps.ts';
import { FORWARD, frameAround, INPUT, type Stimulus } from './stimulus.ts';

suite('memory over time', DIFFERENTIAL, () => {
  it.each(FAMILIES)('recent: seconds, hits, update, remove, reap (%s)', (family) => {
    const rules = [
      '-m recent --name seen --rcheck --seconds 1',
      '-m recent --name seen --rcheck --seconds 2 --hitcount 3',
      '-m recent --name seen ! --rcheck --seconds 1 --hitcount 2',
      '-m recent --name upd --update --seconds 1 --hitcount 2',
      '-m recent --name upd --update --seconds 1 --reap',
      '-m recent --name seen --rcheck --hitcount 20 --rttl',
      '-m recent --name dst --rdest --rcheck --hitcount 5',
      '-m recent --name gone --remove',
      '-m recent --name gone ! --remove',
      '-m recent --name gone --set',
      '-m recent --name seen --set',
      '-m recent --name seen ! --set',
      '-m recent --name upd --set',
      '-m recent --name dst --rdest --set',
    ];
    const hosts = times(12, (index) => index + 1);
    const steps = [
      send(family, hosts, 2),
      wait(500),
      send(family, hosts.slice(0, 5), 3),
      wait(800),
      send(family, hosts, 1, { to: 1 }),
      wait(1300),
      send(family, [1, 3, 5, 40], 25),
      send(family, hosts, 1),
    ];
    expect(play({ [family]: filter('INPUT', rules) }, steps)).toEqual([]);
  });

  it.each(FAMILIES)('recent: more addresses than a list holds (%s)', (family) => {
    const rules = [
      '-m recent --name l --rcheck',
      '-m recent --name l --mask MASK --rcheck --hitcount 2 -j DROP',
      '-m recent --name l --set',
      '-m recent --name big --rcheck --hitcount 40',
      '-m recent --name big --set',
    ].map((rule) => rule.replace('MASK', family === 'ipv4' ? '255.255.255.254' : 'ffff:ffff::'));
    const steps = [
      send(
        family,
        times(130, (index) => index + 1),
      ),
      send(family, [5, 29, 30, 31, 32, 100, 130]),
      send(
        family,
        times(90, (index) => 200 + index),
      ),
      send(family, [29, 30, 31, 100, 129, 130, 131, 200]),
      send(family, [200, 7], 70),
    ];
    expect(play({ [family]: filter('INPUT', rules) }, steps)).toEqual([]);
  });

  it('recent: one list for both families, two tables and three hooks', () => {
    const rules = [
      '-m recent --name l --rcheck --hitcount 3 --rttl',
      '-m recent --name l --update --rttl',
      '-m recent --name l --rdest --rcheck',
      '-m recent --name l --set',
    ];
    const text =
      table(
        'raw',
        rules.map((rule) => `-A PREROUTING ${rule}`),
      ) +
      table(
        'filter',
        ['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => rules.map((rule) => `-A ${chain} ${rule}`)),
      );
    const hosts = times(60, (index) => index + 1);
    const steps = FAMILIES.flatMap((family) => [
      send(family, hosts, 1),
      send(family, hosts.slice(0, 9), 2, {}, FORWARD),
      send(family, hosts, 1, { to: 1 }),
    ]);
    expect(play({ ipv4: text, ipv6: text }, [...steps, ...steps])).toEqual([]);
  });

  it.each(FAMILIES)('hashlimit: rates and bursts (%s)', (family) => {
    const rules = [
      '--hashlimit-upto 10/sec --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-name a',
      '--hashlimit-above 10/sec --hashlimit-burst 3 --hashlimit-mode srcip,dstip --hashlimit-name b',
      '--hashlimit-upto 2/sec --hashlimit-burst 2 --hashlimit-mode dstport,srcport --hashlimit-name c',
      `--hashlimit-upto 4/min --hashlimit-mode srcip --hashlimit-srcmask ${family === 'ipv4' ? 30 : 126} --hashlimit-name d`,
      '--hashlimit-upto 1kb/s --hashlimit-mode srcip --hashlimit-name e',
      '--hashlimit-above 4kb/s --hashlimit-burst 10kb --hashlimit-mode srcip --hashlimit-name f',
      '--hashlimit-upto 5/sec --hashlimit-burst 2 --hashlimit-rate-match --hashlimit-rate-interval 1 --hashlimit-mode srcip --hashlimit-name g',
      '--hashlimit-above 1kb/s --hashlimit-rate-match --hashlimit-rate-interval 1 --hashlimit-mode srcip --hashlimit-name h',
      '--hashlimit-upto 3/sec --hashlimit-burst 4 --hashlimit-name i',
      // When the kernel collects what has expired is its own affair: nothing expires here.
    ].map((rule) => `-p udp -m hashlimit ${rule} --hashlimit-htable-expire 50000`);
    const steps = [
      send(family, [1, 2, 3, 9], 6),
      wait(150),
      send(family, [1, 2, 3], 4, { size: 300 }),
      wait(420),
      send(family, [1, 9], 5, { port: 1, to: 1 }),
      send(family, [4, 5], 12, { size: 700 }),
      wait(1150),
      send(family, [1, 2, 4], 9),
    ];
    expect(play({ [family]: filter('INPUT', rules) }, steps)).toEqual([]);
  });

  it.each(FAMILIES)('hashlimit: full tables, accounts that expire, strange packets (%s)', (family) => {
    const few = '--hashlimit-htable-size 2 --hashlimit-htable-max 4 --hashlimit-htable-gcinterval 100';
    const rules = [
      `-p udp -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 2 --hashlimit-mode srcip --hashlimit-htable-expire 400 ${few} --hashlimit-name few`,
      '-p udp -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 9 --hashlimit-mode srcip,dstport --hashlimit-name p',
      '-p tcp -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 9 --hashlimit-mode srcport,dstport --hashlimit-name q',
      '-p 50 -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 9 --hashlimit-mode srcport --hashlimit-name r',
      `-p ${family === 'ipv4' ? 'icmp' : 'icmpv6'} -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 9 --hashlimit-mode dstport --hashlimit-name s`,
    ];
    const steps: Step[] = [
      send(family, [1, 2, 3, 4, 5, 6, 1], 2),
      wait(900),
      send(family, [7, 1, 8, 9, 10, 11], 2),
      send(family, [1], 1, { cut: 3 }),
      send(family, [1], 1, { cut: 4 }),
      wait(900),
      { kind: 'send', path: INPUT, stimuli: nastyStimuli(1) },
    ];
    expect(play({ [family]: filter('INPUT', rules) }, steps)).toEqual([]);
  });

  it.each(FAMILIES)('quota: bytes until they are gone (%s)', (family) => {
    const rules = [
      '-m quota --quota 1000',
      '-m quota ! --quota 300',
      '-m quota --quota 0',
      '-m quota --quota 18446744073709551615',
    ];
    const steps = [send(family, [1], 8), send(family, [2], 2, { size: 900 }), send(family, [3], 9)];
    expect(play({ [family]: filter('INPUT', rules) }, steps)).toEqual([]);
  });

  it('what a replacement of the rules keeps', () => {
    const rules = (rate: string, hits: string): string =>
      filter('INPUT', [
        '-m quota --quota 200',
        `-m recent --name l --rcheck ${hits}`,
        '-m recent --name l --set',
        `-p udp -m hashlimit --hashlimit-upto ${rate} --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-name h`,
        '-m statistic --mode nth --every 3 --packet 0',
      ]);
    const both = (text: string): RuleSets => ({ ipv4: text, ipv6: text });
    const apply = (text: string): Step => ({ kind: 'apply', sets: both(text) });
    const traffic = (): Step[] => [send('ipv4', [1, 2], 2), send('ipv6', [1, 2], 2)];
    const steps = [
      ...traffic(),
      apply(rules('1/hour', '--hitcount 3')),
      ...traffic(),
      // The table is there: the new rate is not.
      apply(rules('100/sec', '--hitcount 3')),
      ...traffic(),
      // More times than the list holds: it starts anew.
      apply(rules('1/hour', '--hitcount 33')),
      ...traffic(),
      apply(filter('INPUT', ['-p udp'])),
      apply(rules('2/hour', '--hitcount 2')),
      ...traffic(),
      { kind: 'apply', sets: { ipv4: rules('1/hour', '--hitcount 2') } } as const,
      ...traffic(),
      { kind: 'apply', sets: { ipv6: filter('INPUT', ['-p udp']) } } as const,
      { kind: 'apply', sets: { ipv6: rules('1/hour', '--hitcount 2') } } as const,
      ...traffic(),
    ];
    expect(play(both(rules('1/hour', '--hitcount 3')), steps)).toEqual([]);
  });

  it('TCP, too', () => {
    const rules = [
      '-p tcp --syn -m hashlimit --hashlimit-above 2/hour --hashlimit-burst 2 --hashlimit-mode srcip --hashlimit-name t -j DROP',
    ];
    const syn = (host: number): Stimulus => {
      const packet = packetOf('ipv4', HOST.ipv4(host), TARGET.ipv4[0], tcp({ source: 1, destination: 80, flags: 2 }));
      return { kind: 'frame', device: 1, frame: frameAround(packet, macOf(1)) };
    };
    const step: Step = { kind: 'send', path: FORWARD, stimuli: times(8, (index) => syn(index % 3)) };
    expect(play({ ipv4: filter('FORWARD', rules) }, [step])).toEqual([]);
  });
});
