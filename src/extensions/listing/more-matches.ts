/** Listings of the matches with words of their own: accounts, times, devices, clusters. */

import { find, type Listing, type SavedOption, textOf } from './saved.ts';

/** hashlimit: rate, burst, what it accounts for, how its table is made. */
export const listHashlimit: Listing = (saved) => {
  const above = textOf(saved, 'hashlimit-above');
  const rate = above === undefined ? `up to ${textOf(saved, 'hashlimit-upto')}` : `above ${above}`;
  let text = ` limit: ${rate}`;
  for (const { name, values } of saved) {
    const short = name.replace(/^hashlimit-/, '');
    if (short === 'mode') text += ` mode ${(values[0] ?? '').replaceAll(',', '-')}`;
    else if (!['upto', 'above', 'name'].includes(short)) text += ` ${[short, ...values].join(' ')}`;
  }
  return text;
};

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
