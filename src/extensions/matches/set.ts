import type { Condition } from '../../policy/ir.ts';
import type { CounterComparison, SetQuestion } from '../../policy/question.ts';
import { asking } from '../asking.ts';
import type { LowerContext, Lowered, MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { SET as XT_SET } from '../layouts/stateful.ts';
import { always, given, lowered, without } from '../options.ts';
import { askedHere } from '../staging.ts';
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
    'The kernel is asked about every packet just before the rules run, so changes of the set are seen at once; about a set that counts its matches, or whose elements a match completes, when a packet gets to the rule.',
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
  const packets = comparison(options, 'packets');
  const bytes = comparison(options, 'bytes');
  const compares = packets !== undefined || bytes !== undefined;
  const counters = options['update-counters'] === undefined;
  const subcounters = options['update-subcounters'] === undefined;
  const question: SetQuestion = {
    kind: 'set',
    name,
    sides: sides.map((side) => (side === 'src' ? 'src' : 'dst')),
    returnNomatch: options['return-nomatch'] !== undefined,
    ...(packets === undefined ? {} : { packets }),
    ...(bytes === undefined ? {} : { bytes }),
  };
  // What changes the set, and what another rule's match in the set may change the answer of, has to wait until a packet gets there.
  if (facts?.completes === true || (facts?.counters === true && (counters || compares)))
    return lowered([askedHere(ctx, { ...question, counts: { counters, subcounters } }, invert)]);
  return asking(ctx, question, invert);
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
