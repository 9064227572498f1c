/** What a program at TC can change of a packet by itself: the mark, and one byte of the IP header. */

import type { Effect } from '../policy/effect.ts';

export type PacketChange =
  /** mark = (mark & ~mask) ^ value */
  | { readonly kind: 'mark'; readonly mask: number; readonly value: number }
  /** Type of service or traffic class: (old & ~mask) ^ value */
  | { readonly kind: 'tos'; readonly mask: number; readonly value: number }
  /** Time to live or hop limit: 0 and 255 are its ends. */
  | { readonly kind: 'hops'; readonly how: 'set' | 'inc' | 'dec'; readonly value: number };

/** The two lowest bits of the type of service: congestion notification, which DSCP leaves alone. */
const ECN_MASK = 3;

/** Undefined: the program cannot do it. */
export function packetChange({ target, change }: Effect): PacketChange | undefined {
  const [name, option = '', value = ''] = target;
  switch (name) {
    case 'MARK':
      return change?.kind === 'mark' ? { kind: 'mark', mask: change.mask, value: change.value } : undefined;
    case 'TOS': {
      const [bits = '', mask = '0xff'] = value.split('/');
      return option === '--set-tos' && target.length === 3
        ? { kind: 'tos', value: Number(bits), mask: Number(mask) }
        : undefined;
    }
    case 'DSCP':
      return option === '--set-dscp' && target.length === 3
        ? { kind: 'tos', value: Number(value) << 2, mask: 0xff & ~ECN_MASK }
        : undefined;
    case 'TTL':
    case 'HL': {
      const how = (['set', 'inc', 'dec'] as const).find((word) => option === `--${name.toLowerCase()}-${word}`);
      return how === undefined ? undefined : { kind: 'hops', how, value: Number(value) };
    }
    default:
      return undefined;
  }
}
