/** A set of a million addresses: loading it, the rule that asks it, and one element more. The set is the kernel's own, whoever asks. */

import { flush } from '../../src/firewall/flush.ts';
import { openLiveFirewall } from '../../src/firewall/live/live-firewall.ts';
import { withExclusiveSession } from '../../src/firewall/session.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { run } from '../../test/support/command.ts';
import type { Bench, BenchRow } from '../result.ts';
import { sampleOf } from '../statistics.ts';
import { inNamespace } from './control.ts';
import { dotted } from './texts.ts';

const ELEMENTS = 1_000_000;
/** Elements that are added one after the other by one command: starting it is not what an element costs. */
const ADDED = 1000;
const ROUNDS = 5;
const TEXT =
  '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -m set --match-set bench src -j DROP\nCOMMIT\n';

function element(i: number): string {
  return dotted((0x0a000000 + Math.imul(i, 2654435761)) >>> 0);
}

function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

function measure(group: string): readonly BenchRow[] {
  return inNamespace((netns) => {
    const inside = (argv: readonly string[], input?: string): number =>
      timed(() => run('ip', ['netns', 'exec', netns, ...argv], input, { XTABLES_LOCKFILE: `/run/${netns}.lock` }));
    const elements = Array.from({ length: ELEMENTS }, (_, i) => `add bench ${element(i)}\n`).join('');
    const create = `create bench hash:ip hashsize ${1 << 19} maxelem ${2 * ELEMENTS}\n`;
    const restore = inside(['ipset', 'restore'], create + elements);
    const legacy = inside(['iptables-legacy-restore'], TEXT);
    inside(['iptables-legacy', '-F']);
    const live = openLiveFirewall({ family: 'ipv4', netns, waitSeconds: 5 });
    try {
      const { ruleset } = parseRuleset({ name: 'bench', text: TEXT }, 'ipv4');
      live.apply(ruleset!, { counters: false });
      const applied = Array.from({ length: ROUNDS }, () =>
        timed(() => {
          live.apply(ruleset!, { counters: false });
        }),
      );
      const many = Array.from({ length: ROUNDS }, (_, round) => {
        const lines = Array.from(
          { length: ADDED },
          (_, i) => `add -exist bench ${element(ELEMENTS + round * ADDED + i)}\n`,
        );
        return inside(['ipset', 'restore'], lines.join('')) / ADDED;
      });
      const one = Array.from({ length: ROUNDS }, (_, i) =>
        inside(['ipset', '-exist', 'add', 'bench', element(2 * ELEMENTS + i)]),
      );
      const row = (name: string, times: readonly number[], bar?: number): BenchRow => {
        return { group, name, unit: 'ms', ...sampleOf(times), ...(bar === undefined ? {} : { bar }) };
      };
      return [
        row('ipset restore', [restore], 5000),
        row('iptables-legacy: the rule that asks', [legacy]),
        row('bpfilter, warm: the rule that asks', applied),
        row('set and rule together', [restore + sampleOf(applied).median], 5000),
        row('an element, of a thousand in one command', many, 1),
        row('an element, a command of its own', one),
      ];
    } finally {
      live.close();
      withExclusiveSession(netns, 5, ({ layout }) => flush(layout));
    }
  });
}

const NAME = `sets ${ELEMENTS}`;

export const SETS: Bench = { name: NAME, run: () => measure(NAME) };
