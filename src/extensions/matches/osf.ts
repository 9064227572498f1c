import { asking } from '../asking.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { OSF as XT_OSF } from '../layouts/packet.ts';
import { always, given, lowered } from '../options.ts';
import { askedHere, layoutQuestion } from '../staging.ts';
import { integer } from '../values/integer.ts';
import { name } from '../values/name.ts';

const LEVEL = { value: integer(0n, 2n), syntax: '0...2' } as const;

/** xt_osf. */
export const osf: MatchExtension = {
  kind: 'match',
  name: 'osf',
  summary: 'The operating system of the sender, guessed from its SYN.',
  families: ['ipv4'],
  protocols: [6],
  hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
  layouts: XT_OSF,
  options: [
    { name: 'genre', value: name(31, { mayBeEmpty: true }), syntax: 'name', invertible: true, mandatory: true },
    { name: 'ttl', ...LEVEL },
    { name: 'log', ...LEVEL },
  ],
  suspends: isLogging,
  lower(options, ctx) {
    // Only packets that get to the rule may be logged.
    if (isLogging(options)) return lowered([askedHere(ctx, layoutQuestion('osf', XT_OSF, options, ctx))]);
    const genre = always(options, 'genre', 'text');
    const ttl = given(options, 'ttl', 'integer');
    const question = {
      kind: 'osf',
      genre: genre.text,
      invert: genre.invert,
      ...(ttl === undefined ? {} : { ttl: Number(ttl.value) }),
    } as const;
    return asking(ctx, question);
  },
};

function isLogging(options: OptionMap): boolean {
  return options['log'] !== undefined;
}
