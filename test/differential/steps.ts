/** Comparisons in steps: packets, waiting, other rules, other CPUs. */
import { expect } from 'vitest';
import { REFERENCE_FACTS } from '../../src/bpf/reference-facts.ts';
import { planFamilies } from '../../src/firewall/plan-families.ts';
import { pinToCpu } from '../../src/kernel/packet-socket.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { truncated, udp } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall, type RuleSets } from '../support/firewalls.ts';
import { macOf } from '../support/topology.ts';
import { packetOf } from './asking.ts';
import { routeOf } from './route.ts';
import { frameAround, INPUT, type Path, type Stimulus } from './stimulus.ts';
import { differences, withTwins } from './twin.ts';

export type Step =
  | { readonly kind: 'send'; readonly path: Path; readonly stimuli: readonly Stimulus[] }
  | { readonly kind: 'wait'; readonly milliseconds: number }
  /** Until a moment, in milliseconds since 1970. */
  | { readonly kind: 'until'; readonly moment: number }
  /** What follows is sent on this CPU. */
  | { readonly kind: 'cpu'; readonly cpu: number }
  | { readonly kind: 'apply'; readonly sets: RuleSets };

const DEVICES = ['eth0', 'eth1'];

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

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
export function play(sets: RuleSets, steps: readonly Step[]): readonly string[] {
  for (const each of [sets, ...steps.flatMap((step) => (step.kind === 'apply' ? [step.sets] : []))])
    requirePrograms(each);
  const options = { left: kernelFirewall, right: bpfilterFirewall, devices: DEVICES };
  return withTwins(sets, options, (left, right) => {
    const sent: [number[], number[]] = [[], []];
    const found: string[] = [];
    steps.forEach((step, index) => {
      switch (step.kind) {
        case 'wait':
          sleep(step.milliseconds);
          return;
        case 'until':
          sleep(Math.max(0, step.moment - Date.now()));
          return;
        case 'cpu':
          pinToCpu(step.cpu);
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

export const HOST = {
  ipv4: (host: number) => `10.1.${host >> 8}.${host & 255}`,
  ipv6: (host: number) => `fd01::${(host >> 4).toString(16)}:${(host & 15).toString(16)}`,
} as const;
export const TARGET = { ipv4: ['10.2.0.1', '10.2.0.2'], ipv6: ['fd02::1', 'fd02::2'] } as const;

export interface Datagram {
  readonly family: Family;
  readonly host: number;
  readonly to?: 0 | 1;
  readonly port?: number;
  readonly size?: number;
  readonly cut?: number;
}

export function datagram({ family, host, to = 0, port = 0, size = 20, cut }: Datagram): Stimulus {
  const payload = udp({ source: 4000 + port, destination: 7000 + port, data: new Uint8Array(size) });
  const whole = cut === undefined ? payload : truncated(payload, cut);
  const packet = packetOf(family, HOST[family](host), TARGET[family][to], whole);
  return { kind: 'frame', device: 0, frame: frameAround(packet, macOf(0)) };
}

export const wait = (milliseconds: number): Step => ({ kind: 'wait', milliseconds });
export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** `count` datagrams from each of these hosts. */
export function send(
  family: Family,
  hosts: readonly number[],
  count = 1,
  more: Partial<Datagram> = {},
  path = INPUT,
): Step {
  return {
    kind: 'send',
    path,
    stimuli: hosts.flatMap((host) => times(count, () => datagram({ family, host, ...more }))),
  };
}

export function table(name: string, rules: readonly string[]): string {
  return `*${name}\n${rules.join('\n')}\nCOMMIT\n`;
}

export const filter = (chain: string, matches: readonly string[]): string =>
  table(
    'filter',
    matches.map((match) => `-A ${chain} ${match}`),
  );
