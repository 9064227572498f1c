import type { MatchExtension } from '../contract.ts';
import { QUOTA as XT_QUOTA } from '../layouts/stateful.ts';
import { always, lowered } from '../options.ts';
import { integer } from '../values/integer.ts';
import { U64_MAX } from '../values/numbers.ts';

/** xt_quota. */
export const quota: MatchExtension = {
  kind: 'match',
  name: 'quota',
  summary: 'Matches until a number of bytes has passed, and never again.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_QUOTA,
  options: [{ name: 'quota', value: integer(0n, U64_MAX), syntax: 'bytes', invertible: true, mandatory: true }],
  lower(options, ctx) {
    const { value, invert } = always(options, 'quota', 'integer');
    const state = ctx.addState({ kind: 'quota', bytes: value });
    return lowered([{ kind: 'stateful', test: { kind: 'quota', state }, invert }]);
  },
};
