/** limit, nth, named lists and the clock, against iptables: over time, on several CPUs, in several chains, across replaced rules. */
import { expect, it } from 'vitest';
import { FAMILIES } from '../../src/packet/netfilter.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { filter, play, type Step, send, table, times, wait } from './steps.ts';
import { FORWARD } from './stimulus.ts';

suite('memory, step by step', DIFFERENTIAL, () => {
  it.each(FAMILIES)('limit: bursts, refills, inverted beside others, and anew with other rules (%s)', (family) => {
    const rules = [
      '-m limit --limit 1/sec --limit-burst 3',
      '-m limit --limit 2/sec --limit-burst 1',
      '-m limit --limit 100/min --limit-burst 4',
      '-m limit --limit 5/min --limit-burst 2 -m limit --limit 1/sec --limit-burst 6',
      '-m limit --limit 7/hour',
      '-m limit --limit 3/day --limit-burst 10000',
      '-p udp -m limit --limit 3/sec --limit-burst 2 -j DROP',
      '-m limit --limit 1/sec --limit-burst 1',
    ];
    const text = { [family]: filter('INPUT', rules) };
    const steps: Step[] = [
      send(family, [1, 2], 5),
      wait(700),
      send(family, [1, 2], 3),
      wait(1600),
      send(family, [3], 7),
      { kind: 'apply', sets: text },
      send(family, [1, 2], 5),
      wait(300),
      send(family, [4], 5),
      wait(3200),
      send(family, [4], 12),
    ];
    expect(play(text, steps)).toEqual([]);
  });

  it.each(FAMILIES)('one memory for all CPUs and for all chains that come to a rule (%s)', (family) => {
    const chains = ['INPUT', 'FORWARD'];
    const text = [
      '*filter',
      ':shared - [0:0]',
      ...chains.map((chain) => `-A ${chain} -j shared`),
      '-A shared -m statistic --mode nth --every 7 --packet 3',
      '-A shared -m statistic --mode nth ! --every 3 --packet 0',
      '-A shared -m statistic --mode nth --every 1 --packet 0',
      '-A shared -m quota --quota 1500',
      '-A shared -m limit --limit 1/hour --limit-burst 9',
      '-A shared -m recent --name shared --update --hitcount 4',
      '-A shared -m recent --name shared --set',
      'COMMIT',
      '',
    ].join('\n');
    const steps = times(8, (turn): readonly Step[] => [
      { kind: 'cpu', cpu: turn % 2 },
      send(family, [1, 2, 3], 1 + (turn % 3)),
      send(family, [1, 4], 1, {}, FORWARD),
    ]).flat();
    expect(play({ [family]: text }, steps)).toEqual([]);
  });

  it('recent: names of all kinds are lists of their own', () => {
    const names = ['l', 'L', 'DEFAULT', '.hidden', 'a,b', 'x'.repeat(198), `${'x'.repeat(197)}y`];
    const rules = [
      ...names.flatMap((name, at) => [
        `-m recent --name "${name}" --rcheck --hitcount ${at + 1}`,
        `-m recent --name "${name}" --set`,
      ]),
      '-m recent --rcheck --hitcount 4',
      '-m recent --set --rsource',
    ];
    const text = filter('INPUT', rules);
    const steps = FAMILIES.flatMap((family) => [send(family, [1, 2], 3), send(family, [1], 5)]);
    expect(play({ ipv4: text, ipv6: text }, steps)).toEqual([]);
  });

  it('what a replacement of one table leaves to another', () => {
    const raw = (burst: number): string =>
      table('raw', [
        '-A PREROUTING -m recent --name l --set',
        `-A PREROUTING -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst ${burst} --hashlimit-mode srcip --hashlimit-name h`,
      ]);
    const rest = filter('INPUT', [
      '-m recent --name l --rcheck --hitcount 3',
      '-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name h',
      '-m limit --limit 1/hour --limit-burst 4',
    ]);
    const traffic = send('ipv4', [1, 2], 2);
    const steps: Step[] = [
      traffic,
      { kind: 'apply', sets: { ipv4: `*raw\nCOMMIT\n${rest}` } },
      traffic,
      { kind: 'apply', sets: { ipv4: `${raw(9)}${rest}` } },
      traffic,
      { kind: 'apply', sets: { ipv4: `${raw(9)}*filter\nCOMMIT\n` } },
      { kind: 'apply', sets: { ipv4: '*raw\nCOMMIT\n*filter\nCOMMIT\n' } },
      { kind: 'apply', sets: { ipv4: `${raw(2)}${rest}` } },
      traffic,
      traffic,
    ];
    expect(play({ ipv4: `${raw(5)}${rest}` }, steps)).toEqual([]);
  });

  it.each(FAMILIES)('connlimit: connections counted before and after other rules (%s)', (family) => {
    const text = (upto: number): string =>
      filter('FORWARD', [
        `-p udp -m connlimit --connlimit-above ${upto}`,
        '-p udp -m connlimit --connlimit-upto 2 --connlimit-mask 0',
        '-p udp -m connlimit --connlimit-above 3 --connlimit-daddr -j DROP',
      ]);
    // A moment after each: nf_conncount forgets a connection that it cannot find after two jiffies, not before.
    const ports = (...numbers: readonly number[]): Step[] =>
      numbers.flatMap((port) => [1, 2].flatMap((host) => [send(family, [host], 1, { port }, FORWARD), wait(20)]));
    const steps: Step[] = [
      ...ports(0, 1, 2),
      { kind: 'apply', sets: { [family]: text(3) } },
      ...ports(3, 0, 4, 5),
      { kind: 'apply', sets: { [family]: text(1) } },
      ...ports(0, 6, 1),
    ];
    expect(play({ [family]: text(1) }, steps)).toEqual([]);
  });

  it('time: seconds at which it begins and ends', () => {
    // Both sides are at rest when it begins.
    const begin = Math.ceil(Date.now() / 1000) * 1000 + 9000;
    const at = (seconds: number): string => new Date(begin + seconds * 1000).toISOString().slice(0, 19);
    const time = (seconds: number): string => at(seconds).slice(11);
    const rules = [
      `-m time --datestart ${at(0)}`,
      `-m time --datestop ${at(0)}`,
      `-m time --datestart ${at(0)} --datestop ${at(1)}`,
      `-m time --datestart ${at(1)} --datestop ${at(2)} --kerneltz`,
      `-m time --timestart ${time(1)} --timestop ${time(2)}`,
      `-m time --timestart ${time(2)} --timestop ${time(1)}`,
      `-m time --timestart ${time(2)} --timestop ${time(0)} --contiguous`,
    ];
    const steps = [-500, 500, 1500, 2500, 3500].flatMap((after): readonly Step[] => [
      { kind: 'until', moment: begin + after },
      send('ipv4', [1], 2),
      send('ipv6', [1], 1),
    ]);
    const text = filter('INPUT', rules);
    expect(play({ ipv4: text, ipv6: text }, steps)).toEqual([]);
  });
});
