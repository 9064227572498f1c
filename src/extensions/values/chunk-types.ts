import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

/** Types of SCTP chunks, in the order of their numbers; an index of the table is not always the number. */
export const CHUNK_TYPES: Readonly<Record<string, number>> = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  ECN_ECNE: 12,
  ECN_CWR: 13,
  SHUTDOWN_COMPLETE: 14,
  I_DATA: 64,
  ASCONF_ACK: 128,
  RE_CONFIG: 130,
  PAD: 132,
  FORWARD_TSN: 192,
  ASCONF: 193,
  I_FORWARD_TSN: 194,
};

/** Letters of the flags that a chunk can be asked for, from bit 3 (or 0) down. */
const FLAGS: Readonly<Record<string, string>> = { DATA: 'IUBE', ABORT: 'T', SHUTDOWN_COMPLETE: 'T' };

/**
 * Two words: `all`, `any` or `only`, and chunk types with flags, `DATA:Be,ABORT` (a capital is a flag that is set, a small letter one
 * that is not), ALL or NONE. Kept as the members of a set: the first word, then the types as they are printed.
 */
export const chunkTypes: ValueType = {
  words: 2,
  parse([how = '', list = '']) {
    const match = how.toLowerCase();
    if (!['all', 'any', 'only'].includes(match)) return bad(`"${how}" is none of all, any, only`);
    const whole = list.toUpperCase();
    if (whole === 'ALL' || whole === 'NONE') return good({ kind: 'set', members: [match, whole] });
    const chosen = new Map<string, Set<string>>();
    for (const item of list.split(',')) {
      if (item === '') continue;
      const [word = '', flags = ''] = item.split(':', 2);
      const type = word.toUpperCase();
      if (!Object.hasOwn(CHUNK_TYPES, type)) return bad(`"${word}" is not a type of chunk`, 1);
      const letters = chosen.get(type) ?? new Set<string>();
      for (const letter of flags) {
        if (FLAGS[type]?.includes(letter.toUpperCase()) !== true)
          return bad(`${type} has no flag "${letter}" to ask for`, 1);
        // A flag that is asked for both ways has to be set.
        if (letter === letter.toUpperCase()) letters.delete(letter.toLowerCase());
        if (!letters.has(letter.toUpperCase())) letters.add(letter);
      }
      chosen.set(type, letters);
    }
    if (chosen.size === 0) return good({ kind: 'set', members: [match, 'NONE'] });
    return good({ kind: 'set', members: [match, ...inOrder(chosen)] });
  },
  print(value) {
    if (value.kind !== 'set') return wrongKind(value);
    const [match = '', ...types] = value.members;
    return [match, types.join(',')];
  },
};

/** Flags that a printed item asks for, `DATA:Be`: those that must be set and those that must not; undefined when there are none. */
export function chunkFlags(item: string): { readonly mask: number; readonly value: number } | undefined {
  const [type = '', letters = ''] = item.split(':', 2);
  if (letters === '') return undefined;
  const names = FLAGS[type] ?? '';
  const bit = (letter: string): number => 1 << (names.length - 1 - names.indexOf(letter.toUpperCase()));
  const set = [...letters].filter((letter) => letter === letter.toUpperCase());
  const sum = (list: readonly string[]): number => list.reduce((bits, letter) => bits | bit(letter), 0);
  return { mask: sum([...letters]), value: sum(set) };
}

function inOrder(chosen: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  return Object.keys(CHUNK_TYPES).flatMap((type) => {
    const letters = chosen.get(type);
    if (letters === undefined) return [];
    const flags = [...(FLAGS[type] ?? '')]
      .flatMap((flag) => [flag, flag.toLowerCase()])
      .filter((flag) => letters.has(flag));
    return [flags.length === 0 ? type : `${type}:${flags.join('')}`];
  });
}

/** A chunk type as it is printed, with the letters of the flags that it is asked for. */
export function chunkItem(type: string, flags: { readonly mask: number; readonly value: number } | undefined): string {
  const names = FLAGS[type] ?? '';
  const letters = [...names].flatMap((letter, at) => {
    const bit = 1 << (names.length - 1 - at);
    if (flags === undefined || (flags.mask & bit) === 0) return [];
    return [(flags.value & bit) === 0 ? letter.toLowerCase() : letter];
  });
  return letters.length === 0 ? type : `${type}:${letters.join('')}`;
}
