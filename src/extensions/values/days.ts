/** Days of the week and of the month, as the time match has them: sets in the order of the calendar. */

import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

export const WEEKDAYS: readonly string[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
export const MONTHDAYS: readonly string[] = Array.from({ length: 31 }, (_, at) => String(at + 1));

/** `Mon,Tue` or `1,2`; what follows the first three letters of a name is not looked at, but case is. */
export const weekdays: ValueType = dayList('day of the week', WEEKDAYS, (text) =>
  /^\d+$/.test(text) ? WEEKDAYS[Number(text) - 1] : WEEKDAYS.find((day) => text.startsWith(day)),
);

/** `1,2,31`. */
export const monthdays: ValueType = dayList('day of the month', MONTHDAYS, (text) =>
  /^\d{1,2}$/.test(text) ? MONTHDAYS[Number(text) - 1] : undefined,
);

/** An empty text is no day at all: legal, and never matched. */
function dayList(what: string, all: readonly string[], read: (text: string) => string | undefined): ValueType {
  return {
    words: 1,
    parse([text = '']) {
      const chosen = new Set<string>();
      for (const item of text === '' ? [] : text.split(',')) {
        const day = read(item);
        if (day === undefined) return bad(`"${item}" is not a ${what}`);
        chosen.add(day);
      }
      return good({ kind: 'set', members: all.filter((day) => chosen.has(day)) });
    },
    print(value) {
      if (value.kind !== 'set') return wrongKind(value);
      return [value.members.length === 0 ? '""' : value.members.join(',')];
    },
  };
}
