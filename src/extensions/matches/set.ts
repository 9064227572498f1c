import type { Condition } from '../../policy/ir.ts';
import type { CounterComparison } from '../../policy/question.ts';
import { asking } from '../asking.ts';
import type { LowerContext, Lowered, MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { SET as XT_SET } from '../layouts/stateful.ts';
import { always, cannot, given, without } from '../options.ts';
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
  notes: [
    'Whether there is such a set, and of what type, is only known when the rule is loaded.',
    'The kernel is asked about every packet just before the rules run, so changes of the set are seen at once. A set that counts its matches keeps its table with the kernel.',
    'A set that begins to count later (`ipset swap`, or a new member of a list:set) is read as before, but matches are not counted in it.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_SET,
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
  lower,
};

function lower(options: OptionMap, ctx: LowerContext): Lowered<readonly Condition[]> {
  const { members, invert } = always(options, 'match-set', 'set');
  const [name = '', ...sides] = members;
  const facts = ctx.objects?.sets.get(name);
  if (facts?.counters === true && options['update-counters'] === undefined)
    return cannot(`the set "${name}" counts its matches, and a packet is looked up in it before its turn`);
  if (facts?.completes === true)
    return cannot(
      `a match in the set "${name}" (${facts.type}) can complete its elements, and a packet is looked up in it before its turn`,
    );
  const packets = comparison(options, 'packets');
  const bytes = comparison(options, 'bytes');
  return asking(
    ctx,
    {
      kind: 'set',
      name,
      sides: sides.map((side) => (side === 'src' ? 'src' : 'dst')),
      returnNomatch: options['return-nomatch'] !== undefined,
      ...(packets === undefined ? {} : { packets }),
      ...(bytes === undefined ? {} : { bytes }),
    },
    invert,
  );
}

function comparison(options: OptionMap, what: 'packets' | 'bytes'): CounterComparison | undefined {
  for (const how of HOW) {
    const option = given(options, `${what}-${how}`, 'integer');
    if (option !== undefined) return { how: option.invert ? 'ne' : how, value: option.value };
  }
  return undefined;
}

/** Counters are updated unless that is ruled out. */
function withoutIdleUpdates(options: OptionMap): OptionMap {
  const idle = UPDATES.filter((name) => options[name]?.invert === false);
  return idle.length === 0 ? options : without(options, ...idle);
}
