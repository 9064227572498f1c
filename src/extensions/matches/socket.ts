import { asking } from '../asking.ts';
import type { MatchExtension } from '../contract.ts';
import { SOCKET as XT_SOCKET } from '../layouts/packet.ts';
import { cannot } from '../options.ts';
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
  lower(options, ctx) {
    if (options['restore-skmark'] !== undefined) return cannot('--restore-skmark changes the mark of the packet');
    return asking(ctx, {
      kind: 'socket',
      transparent: options['transparent'] !== undefined,
      nowildcard: options['nowildcard'] !== undefined,
    });
  },
};
