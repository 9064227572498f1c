/** Rule lines, whole and damaged, through iptables-legacy-restore in a namespace and through ours: same answer, same print. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import { run } from '../support/command.ts';
import { SHARED, suite } from '../support/suite.ts';
import { makeLine } from './mutate.ts';
import { seedLines } from './seeds.ts';

const LINES = Number(process.env['LANGUAGE_LINES'] ?? 1500);
const NAMESPACE = `bpfilter-language-${process.pid}`;
const PROGRAM = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const satisfies Record<Family, string>;
const LOCK = { XTABLES_LOCKFILE: `/run/${NAMESPACE}.lock` };

/** Undefined: refused. */
type Answer = string | undefined;

/**
 * Where iptables 1.8.9 differs from 1.8.13, whose cases are our yardstick, or where we are stricter on purpose. Each names
 * the line, and our answer where it matters.
 */
const KNOWN: readonly { readonly why: string; covers(line: string, ours: Answer, reason: string): boolean }[] = [
  {
    why: '1.8.9 takes the option itself for part of an attached value',
    covers: (line) => /(^|\s)(-[pijog4vf]+[^\s]|--(protocol|jump|goto|in-interface|out-interface)?=)/.test(line),
  },
  {
    why: 'inverted ranges are refused since 1.8.10',
    covers: (_line, _ours, reason) => reason.includes('ends before it begins'),
  },
  {
    why: '--ctproto 0 is refused since 1.8.10',
    covers: (_line, _ours, reason) => reason.includes('protocol 0 is every'),
  },
  {
    why: 'an inverted full range and an inverted "+" are printed since 1.8.10',
    covers: (_line, ours) => /! --\S+ 0:(65535|4294967295)|! -[io] \+/.test(ours ?? ''),
  },
  {
    why: '255/255 is printed as such since 1.8.10',
    covers: (_line, ours) => ours?.includes('--icmp-type 255/') === true,
  },
  { why: 'queue 65535 as an end is refused since 1.8.10', covers: (line) => line.includes('--queue-balance') },
  {
    why: '1.8.9 wraps ports above 65535',
    covers: (line, _ours, reason) => /--ct\w+port/.test(line) && reason.includes('neither a port'),
  },
  { why: 'we ask for closed quotes', covers: (_line, _ours, reason) => reason.includes('never closed') },
];

const wrap = (line: string): string =>
  `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:chain - [0:0]\n${line}\nCOMMIT\n`;

function theirAnswer(line: string, family: Family): Answer {
  const args = ['netns', 'exec', NAMESPACE];
  try {
    run('ip', [...args, `${PROGRAM[family]}-restore`, '-c'], wrap(line), LOCK);
  } catch {
    return undefined;
  }
  const text = run('ip', [...args, `${PROGRAM[family]}-save`, '-c', '-t', 'filter'], '', LOCK);
  return text.replace(/^#.*\n/gm, '');
}

/** A sentence about a difference, undefined where there is none or a known one. */
function compare(line: string, family: Family): string | undefined {
  const { ruleset, diagnostics } = parseRuleset({ name: 'line', text: wrap(line) }, family);
  if (diagnostics.some((item) => item.code.startsWith('not-yet-supported-'))) return undefined;
  const ours = ruleset === undefined ? undefined : printRuleset(ruleset, { counters: true });
  const theirs = theirAnswer(line, family);
  const reason = diagnostics.map((item) => item.message).join('; ');
  if (ours === theirs || KNOWN.some((known) => known.covers(line, ours, reason))) return undefined;
  return `${family} ${line}\n  ours: ${ours ?? reason}\n  theirs: ${theirs ?? 'refused'}`;
}

suite('iptables-legacy-restore', ['root', 'ip', 'iptables'], () => {
  beforeAll(() => {
    run('ip', ['netns', 'add', NAMESPACE]);
  });
  afterAll(() => {
    run('ip', ['netns', 'del', NAMESPACE]);
  });

  it(`answers ${LINES} lines as we do`, () => {
    const seeds = seedLines(SHARED);
    const differences: string[] = [];
    for (let number = 0; number < LINES; number++) {
      const { family, line } = makeLine(number, seeds);
      // A line end would make two lines of it, a NUL half a one.
      const difference = /[\n\0]/.test(line) ? undefined : compare(line, family);
      if (difference !== undefined) differences.push(difference);
    }
    expect(differences).toEqual([]);
  });
});
