/** Listings of the matches with words of their own: accounts, times, devices, clusters. */

import { formatPacketRate, HASHLIMIT_SCALE, readHashRate } from '../values/hash-rate.ts';
import { find, type Listing, type SavedOption, textOf } from './saved.ts';

/** hashlimit: rate, burst, what it accounts for, how its table is made. */
export const listHashlimit: Listing = (saved) => {
  const above = textOf(saved, 'hashlimit-above');
  const { rate, expire } = shownRate(saved, above ?? textOf(saved, 'hashlimit-upto') ?? '');
  const parts = saved.flatMap(({ name, values }): readonly string[] => {
    const short = name.replace(/^hashlimit-/, '');
    if (short === 'mode') return [`mode ${(values[0] ?? '').replaceAll(',', '-')}`];
    return ['upto', 'above', 'name', 'htable-expire'].includes(short) ? [] : [[short, ...values].join(' ')];
  });
  if (expire !== undefined) {
    const later = parts.findIndex((part) => /^(srcmask|dstmask|rate-)/.test(part));
    parts.splice(later === -1 ? parts.length : later, 0, `htable-expire ${expire}`);
  }
  return ` limit: ${[above === undefined ? 'up to' : 'above', rate, ...parts].join(' ')}`;
};

/**
 * hashlimit_mt_print: what a rate with a window of its own comes to is shown in whichever unit fits, and the time that is usual for the shown
 * unit is not.
 */
function shownRate(
  saved: readonly SavedOption[],
  text: string,
): { readonly rate: string; readonly expire: string | undefined } {
  const expire = textOf(saved, 'hashlimit-htable-expire');
  const rate = readHashRate(text);
  if (find(saved, 'hashlimit-rate-match') === undefined || typeof rate === 'string' || rate.kind === 'bytes')
    return { rate: text, expire };
  const interval = BigInt(textOf(saved, 'hashlimit-rate-interval') ?? 1);
  const shown = formatPacketRate(((HASHLIMIT_SCALE * rate.seconds) / rate.count) * interval);
  const real = expire === undefined ? rate.seconds * 1000n : BigInt(expire);
  return { rate: shown.text, expire: real === shown.seconds * 1000n ? undefined : String(real) };
}

const ORDINALS: Readonly<Record<string, string>> = {
  '1': 'st',
  '21': 'st',
  '31': 'st',
  '2': 'nd',
  '22': 'nd',
  '3': 'rd',
  '23': 'rd',
};
/** What datestop is when nobody gave it. */
const END_OF_TIME = '2038-01-19T03:14:07';

export const listTime: Listing = (saved) => {
  const value = (name: string): string | undefined => textOf(saved, name);
  let text = ' TIME';
  if (value('timestart') !== undefined || value('timestop') !== undefined) {
    text += ` from ${value('timestart') ?? '00:00:00'} to ${value('timestop') ?? '23:59:59'}`;
  }
  const days = value('weekdays');
  if (days !== undefined) text += ` on ${days}`;
  const dates = value('monthdays');
  if (dates !== undefined) {
    text += ` on ${dates
      .split(',')
      .map((day) => `${day}${ORDINALS[day] ?? 'th'}`)
      .join(',')}`;
  }
  const [start, stop] = [value('datestart'), value('datestop')];
  if (start !== undefined) text += ` starting from ${start.replace('T', ' ')}`;
  if (stop !== undefined && stop !== END_OF_TIME) text += ` until date ${stop.replace('T', ' ')}`;
  if (find(saved, 'kerneltz') === undefined) text += ' UTC';
  return find(saved, 'contiguous') === undefined ? text : `${text} contiguous`;
};

export const listPhysdev: Listing = (saved) =>
  ` PHYSDEV match${saved
    .map(({ name, invert, values }) => `${invert ? ' !' : ''} ${[`--${name}`, ...values].join(' ')}`)
    .join('')}`;

/** ` [! ]name value` for each option. */
export const listDevgroup: Listing = (saved) =>
  saved.map(({ name, invert, values }) => ` ${invert ? '! ' : ''}${name} ${values.join(' ')}`).join('');

export const listCluster: Listing = (saved) => {
  const mask = find(saved, 'cluster-local-nodemask');
  return (
    ` cluster ${mask?.invert === true ? '!' : ''}node_mask=${mask?.values[0] ?? ''}` +
    ` total_nodes=${textOf(saved, 'cluster-total-nodes')} hash_seed=${textOf(saved, 'cluster-hash-seed')}`
  );
};

const DCCP_TYPES = [
  'REQUEST',
  'RESPONSE',
  'DATA',
  'ACK',
  'DATAACK',
  'CLOSEREQ',
  'CLOSE',
  'RESET',
  'SYNC',
  'SYNCACK',
  'INVALID',
];

/** Packet types of DCCP; as numbers with -n. */
export function dccpTypes({ invert, values }: SavedOption, numeric: boolean): string {
  const types = (values[0] ?? '').split(',');
  const shown = numeric
    ? types.map((type) => (DCCP_TYPES.includes(type) ? String(DCCP_TYPES.indexOf(type)) : type))
    : types;
  return ` ${invert ? '! ' : ''}${shown.join(',')}`;
}
