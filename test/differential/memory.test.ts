/** quota, recent and hashlimit over time, against iptables: bursts and refills, seconds, full tables, replaced rules. */
import { expect, it } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { planFamilies } from '../../src/firewall/plan-families.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { tcp, truncated, udp } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall, type RuleSets } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { macOf } from '../support/topology.ts';
import { packetOf } from './asking.ts';
import { nastyStimuli } from './nasties.ts';
import { routeOf } from './route.ts';
import { FORWARD, frameAround, INPUT, type Path, type Stimulus } from './stimulus.ts';
import { differences, withTwins } from './twin.ts';

type Step =
  | { readonly kind: 'send'; readonly path: Path; readonly stimuli: readonly Stimulus[] }
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'apply'; readonly sets: RuleSets };

const DEVICES = ['eth0', 'eth1'];

/** Everything must run as programs, or the kernel would be compared with itself. */
function requirePrograms(sets: RuleSets): void {
  const rulesets = (Object.entries(sets) as [Family, string][]).map(
    ([family, text]) => parseRuleset({ name: family, text }, family).ruleset!,
  );
  for (const { plan, diagnostics } of planFamilies(rulesets, REFERENCE_FACTS, { counters: false })) {
    expect({ kernel: plan?.kernelTables.map(({ name }) => name), diagnostics }).toEqual({
      kernel: [],
      diagnostics: [],
    });
  }
}

/** Plays the steps on both sides, stimulus by stimulus; what they then disagree about. */
function play(sets: RuleSets, steps: readonly Step[]): readonly string[] {
  for (const each of [sets, ...steps.flatMap((step) => (step.kind === 'apply' ? [step.sets] : []))])
    requirePrograms(each);
  const options = { left: kernelFirewall, right: bpfilterFirewall, devices: DEVICES };
  return withTwins(sets, options, (left, right) => {
    const sent: [number[], number[]] = [[], []];
    const found: string[] = [];
    steps.forEach((step, index) => {
      switch (step.kind) {
        case 'wait':
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, step.milliseconds);
          return;
        case 'apply':
          left.firewall.apply(step.sets);
          right.firewall.apply(step.sets);
          return;
        case 'send':
          for (const side of [left, right]) side.topology.deliver(routeOf(step));
          for (const [at, stimulus] of step.stimuli.entries()) {
            sent[0].push(left.send(stimulus));
            sent[1].push(right.send(stimulus));
            if (at % 64 !== 63) continue;
            left.settle();
            right.settle();
          }
          left.settle();
          right.settle();
          found.push(
            ...differences(left.observe(sent[0].splice(0)), right.observe(sent[1].splice(0))).map(
              (line) => `step ${index}: ${line}`,
            ),
          );
      }
    });
    return found;
  });
}

const HOST = {
  ipv4: (host: number) => `10.1.${host >> 8}.${host & 255}`,
  ipv6: (host: number) => `fd01::${(host >> 4).toString(16)}:${(host & 15).toString(16)}`,
} as const;
const TARGET = { ipv4: ['10.2.0.1', '10.2.0.2'], ipv6: ['fd02::1', 'fd02::2'] } as const;

interface Datagram {
  readonly family: Family;
  readonly host: number;
  readonly to?: 0 | 1;
  readonly port?: number;
  readonly size?: number;
  readonly cut?: number;
}

function datagram({ family, host, to = 0, port = 0, size = 20, cut }: Datagram): Stimulus {
  const payload = udp({ source: 4000 + port, destination: 7000 + port, data: new Uint8Array(size) });
  const whole = cut === undefined ? payload : truncated(payload, cut);
  const packet = packetOf(family, HOST[family](host), TARGET[family][to], whole);
  return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
}

const wait = (milliseconds: number): Step => ({ kind: 'wait', milliseconds });
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** `count` datagrams from each of these hosts. */
function send(family: Family, hosts: readonly number[], count = 1, more: Partial<Datagram> = {}, path = INPUT): Step {
  return {
    kind: 'send',
    path,
    stimuli: hosts.flatMap((host) => times(count, () => datagram({ family, host, ...more }))),
  };
}

function table(name: string, rules: readonly string[]): string {
  return `*${name}\n${rules.join('\n')}\nCOMMIT\n`;
}

const filter = (chain: string, matches: readonly string[]): string =>
  table(
    'filter',
    matches.map((match) => `-A ${chain} ${match}`),
  );

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
