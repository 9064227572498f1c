/** The times of the time match: a day of the calendar with its time, and a time of the day. */

import type { ValueType } from '../contract.ts';
import { bad, good, wrongKind } from './numbers.ts';

const DATE = /^(\d+)(?:-(\d+)(?:-(\d+)(?:T(?:(\d+)(?::(\d+)(?::(\d+))?)?)?)?)?)?$/;
const FIRST_YEAR = 1970;
const LAST_YEAR = 2038;

/** `YYYY[-MM[-DD[Thh[:mm[:ss]]]]]`; kept as seconds since 1970 without a time zone, printed in full. */
export const dateTime: ValueType = {
  words: 1,
  parse([text = '']) {
    const found = DATE.exec(text);
    if (found === null) return bad(`"${text}" is not a time such as 2026-11-23T08:30:00`);
    const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((group) => {
      const digits = found[group];
      return digits === undefined ? (group <= 3 ? 1 : 0) : Number(digits);
    }) as [number, number, number, number, number, number];
    if (year < FIRST_YEAR || year > LAST_YEAR)
      return bad(`the year of "${text}" is not from ${FIRST_YEAR} to ${LAST_YEAR}`);
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) {
      return bad(`"${text}" is not a time that there is`);
    }
    // As mktime has it, the 30th of February is a day of March.
    return good({ kind: 'integer', value: BigInt(Date.UTC(year, month - 1, day, hour, minute, second) / 1000) });
  },
  print(value) {
    if (value.kind !== 'integer') return wrongKind(value);
    return [new Date(Number(value.value) * 1000).toISOString().slice(0, 19)];
  },
};

/** `hh:mm[:ss]`; kept as seconds since midnight, printed in full. */
export const dayTime: ValueType = {
  words: 1,
  parse([text = '']) {
    const found = /^[ \t]*\+?(\d+):(\d+)(?::(\d+))?$/.exec(text);
    const [hour, minute, second] = [1, 2, 3].map((group) => Number(found?.[group] ?? 0)) as [number, number, number];
    if (found === null || hour > 23 || minute > 59 || second > 59) {
      return bad(`"${text}" is not a time of the day such as 08:30 or 08:30:15`);
    }
    return good({ kind: 'integer', value: BigInt(hour * 3600 + minute * 60 + second) });
  },
  print(value) {
    if (value.kind !== 'integer') return wrongKind(value);
    return [new Date(Number(value.value) * 1000).toISOString().slice(11, 19)];
  },
};
