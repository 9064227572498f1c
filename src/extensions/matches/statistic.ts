import type { MatchExtension, OptionMap } from '../contract.ts';
import { STATISTIC as XT_STATISTIC } from '../layouts/stateful.ts';
import { always, given, lowered, refuse } from '../options.ts';
import { choice } from '../values/choice.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';
import { probability } from '../values/probability.ts';

const NTH = 1n;

/** xt_statistic: by chance, or every nth packet. */
export const statistic: MatchExtension = {
  kind: 'match',
  name: 'statistic',
  summary: 'Matches by chance, or every nth packet that reaches it.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_STATISTIC,
  options: [
    {
      name: 'mode',
      value: choice({ random: 0, nth: 1 }, { what: 'mode' }),
      syntax: 'random or nth',
      mandatory: true,
    },
    {
      name: 'probability',
      value: probability,
      syntax: '0...1',
      invertible: true,
      excludes: ['every', 'packet'],
    },
    {
      name: 'every',
      value: integer(1n, U32_MAX),
      syntax: 'n',
      invertible: true,
      excludes: ['probability'],
      requires: ['packet'],
    },
    {
      name: 'packet',
      value: integer(0n, U32_MAX),
      syntax: '0...n-1',
      excludes: ['probability'],
      requires: ['every'],
    },
  ],
  check(options, ctx) {
    const why = problem(options);
    return why === undefined ? [] : refuse('match "statistic"', why, ctx.span);
  },
  lower(options, ctx) {
    const chance = given(options, 'probability', 'integer');
    if (chance !== undefined) {
      const test = { kind: 'random', probability: Number(chance.value) } as const;
      return lowered([{ kind: 'stateful', test, invert: chance.invert }]);
    }
    const every = always(options, 'every', 'integer');
    // iptables hands over n - 1 as `every`, and a count that reaches it after `packet` packets.
    const last = Number(every.value) - 1;
    const state = ctx.addState({
      kind: 'nth',
      every: last,
      packet: last - Number(always(options, 'packet', 'integer').value),
    });
    return lowered([{ kind: 'stateful', test: { kind: 'nth', state }, invert: every.invert }]);
  },
};

function problem(options: OptionMap): string | undefined {
  const mode = given(options, 'mode', 'integer');
  const every = given(options, 'every', 'integer');
  const packet = given(options, 'packet', 'integer');
  if (mode === undefined) return undefined;
  if (mode.value !== NTH) return options['probability'] === undefined ? 'mode random needs --probability' : undefined;
  if (every === undefined || packet === undefined) return 'mode nth needs --every and --packet';
  return packet.value < every.value ? undefined : '--packet must be less than --every';
}
