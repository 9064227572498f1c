import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { U64_MAX } from '../values/numbers.ts';
import { setReference } from '../values/set-reference.ts';

const HOW = ['eq', 'lt', 'gt'] as const;
const UPDATES = ['update-counters', 'update-subcounters'] as const;

/** Of the three comparisons of a counter a rule has one; only equality can be inverted. */
function counter(what: 'packets' | 'bytes'): readonly OptionSpec[] {
  return HOW.map((how) => ({
    name: `${what}-${how}`,
    value: integer(0n, U64_MAX),
    syntax: 'n',
    ...(how === 'eq' ? { invertible: true } : {}),
    excludes: HOW.filter((other) => other !== how).map((other) => `${what}-${other}`),
  }));
}

/** xt_set revision 4. */
export const set: MatchExtension = {
  kind: 'match',
  name: 'set',
  summary: 'An address, port, device or several of them are in an ipset.',
  notes: ['Whether there is such a set, and of what type, is only known when the rule is loaded.'],
  families: ['ipv4', 'ipv6'],
  options: [
    {
      name: 'match-set',
      aliases: ['set'],
      value: setReference,
      syntax: 'name src|dst,...',
      invertible: true,
      mandatory: true,
    },
    { name: 'return-nomatch', value: flag },
    ...UPDATES.map((name) => ({ name, value: flag, invertible: true })),
    ...counter('packets'),
    ...counter('bytes'),
  ],
  normalise: withoutIdleUpdates,
};

/** Counters are updated unless that is ruled out. */
function withoutIdleUpdates(options: OptionMap): OptionMap {
  const idle = UPDATES.filter((name) => options[name]?.invert === false);
  return idle.length === 0 ? options : without(options, ...idle);
}
