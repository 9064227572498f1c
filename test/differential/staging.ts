/** What comparisons of matches share that the kernel evaluates on the way through our programs. */
import { expect } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { type Family, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { type FirewallKind, kernelFirewall } from '../support/firewalls.ts';
import type { MarkTable } from '../support/watch.ts';
import { DEVICES, prepared } from './asking.ts';
import { routeOf } from './route.ts';
import { FORWARD, type Path, type Stimulus } from './stimulus.ts';
import { differences, type Side, withTwins } from './twin.ts';

/** bpfilter, which must not leave the table with the kernel. */
export const staging: FirewallKind = {
  label: 'bpfilter',
  open(namespace) {
    const firewall = bpfilterFirewall.open(namespace);
    return {
      ...firewall,
      apply(sets) {
        firewall.apply(sets);
        for (const family of Object.keys(sets) as Family[]) expect(stagedChains(namespace, family)).not.toEqual([]);
      },
    };
  },
};

export function stagedChains(namespace: string, family: Family): readonly string[] {
  const list = withNamespace(namespace, () => run('nft', ['list', 'chains', family === 'ipv4' ? 'ip' : 'ip6']));
  return [...list.matchAll(/chain (staged_\S+)/g)].map((found) => found[1] ?? '');
}

/** A table with these rules. */
export function table(lines: readonly string[], name: TableName = 'filter'): string {
  const chains = TABLE_HOOKS[name].hooks.map((hook) => `:${hook} ACCEPT [0:0]`);
  return [`*${name}`, ...chains, ...lines, 'COMMIT', ''].join('\n');
}

/** nf_conncount looks for connections that have ended once in a jiffy only, and waits two for those that it cannot find. */
const A_JIFFY_MS = 12;

/** Waits so long that whatever the kernel does once in a jiffy is done again. */
function pauseForJiffies(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, A_JIFFY_MS);
}

export interface RoundOptions {
  /** How frames reach their way; default: forwarded. */
  readonly path?: Path;
  /** Makes what rules name, in both namespaces. */
  readonly prepare?: (namespace: string) => void;
  /** What else must be equal after each round. */
  readonly also?: (namespace: string) => string;
  /** Namespaces whose firewall is bpfilter's own, as it must be. */
  readonly right?: FirewallKind;
  readonly marks?: MarkTable;
  /** A moment passes between any two stimuli, too: what the kernel does once in a jiffy is then done for each. */
  readonly apart?: boolean;
}

/** Rounds of stimuli for iptables and for ours; between them a moment passes. Returns the rules with their counters, at the end. */
export function compareRounds(
  family: Family,
  text: string,
  rounds: readonly (readonly Stimulus[])[],
  options: RoundOptions = {},
): string {
  const {
    path = FORWARD,
    prepare = () => undefined,
    also = () => '',
    right: kind = staging,
    marks,
    apart = false,
  } = options;
  const twins = {
    ...{ left: prepared(kernelFirewall, prepare), right: prepared(kind, prepare), devices: DEVICES },
    ...(marks === undefined ? {} : { marks }),
  };
  return withTwins({ [family]: text }, twins, (left, right) => {
    const route = routeOf({ path, stimuli: rounds.flat() });
    for (const side of [left, right]) side.topology.deliver(route);
    let saved = '';
    rounds.forEach((stimuli, round) => {
      const sent = stimuli.map((stimulus) => {
        if (apart) pauseForJiffies();
        return [left.send(stimulus), right.send(stimulus)] as const;
      });
      settle(left, right);
      pauseForJiffies();
      const one = left.observe(sent.map(([result]) => result));
      const other = right.observe(sent.map(([, result]) => result));
      expect({ round, found: differences(one, other) }).toEqual({ round, found: [] });
      const [theirs, ours] = [left, right].map(({ topology }) => also(topology.namespace));
      expect({ round, also: ours }).toEqual({ round, also: theirs });
      saved = one.saved[family];
    });
    expect(saved).toMatch(/^\[[1-9]\d*:\d+\] -A /m);
    return saved;
  });
}

function settle(...sides: readonly Side[]): void {
  for (const side of sides) side.settle();
}
