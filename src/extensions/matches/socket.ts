import { asking } from '../asking.ts';
import type { MatchExtension, OptionMap } from '../contract.ts';
import { SOCKET as XT_SOCKET } from '../layouts/packet.ts';
import { lowered } from '../options.ts';
import { askedHere } from '../staging.ts';
import { flag } from '../values/flag.ts';

/** xt_socket revision 3. */
export const socket: MatchExtension = {
  kind: 'match',
  name: 'socket',
  summary: 'There is a local socket for the packet.',
  families: ['ipv4', 'ipv6'],
  hooks: ['PREROUTING', 'INPUT'],
  layouts: XT_SOCKET,
  options: ['transparent', 'nowildcard', 'restore-skmark'].map((name) => ({ name, value: flag })),
  suspends: restoresMark,
  lower(options, ctx) {
    const question = {
      kind: 'socket',
      transparent: options['transparent'] !== undefined,
      nowildcard: options['nowildcard'] !== undefined,
    } as const;
    if (restoresMark(options)) return lowered([askedHere(ctx, { ...question, restoreMark: true })]);
    return asking(ctx, question);
  },
};

/** The packet takes the mark of its socket. */
function restoresMark(options: OptionMap): boolean {
  return options['restore-skmark'] !== undefined;
}
