/** Listings of the matches that look at IPv6 extension headers. */

import { mhTypeName } from '../values/mh-type.ts';
import { find, type Listing, type SavedOption, textOf } from './saved.ts';

/** `title:[!]n` for one number, `titles:[!]a:b` for a range. */
function ranged(title: string, option: SavedOption | undefined): string {
  if (option === undefined) return '';
  const not = option.invert ? '!' : '';
  const value = option.values[0] ?? '';
  return value.includes(':') ? `${title}s:${not}${value}` : `${title}:${not}${value}`;
}

const flag = (saved: readonly SavedOption[], name: string, text: string): string =>
  find(saved, name) === undefined ? '' : text;

export const listFrag: Listing = (saved) => {
  const id = ranged('id', find(saved, 'fragid'));
  const length = find(saved, 'fraglen');
  return (
    ` frag ${id}` +
    (length === undefined ? '' : ` ${ranged('length', length)}`) +
    flag(saved, 'fragres', ' reserved') +
    flag(saved, 'fragfirst', ' first') +
    flag(saved, 'fragmore', ' more') +
    flag(saved, 'fraglast', ' last')
  );
};

/** hbh and dst. */
export function optionHeaderListing(name: string): Listing {
  return (saved) => {
    const length = find(saved, `${name}-len`);
    const options = textOf(saved, `${name}-opts`);
    return (
      ` ${name}` +
      (length === undefined ? '' : ` length:${length.invert ? '!' : ''}${length.values[0]}`) +
      (options === undefined ? '' : ` opts ${options}`)
    );
  };
}

export const listRt: Listing = (saved) => {
  const type = find(saved, 'rt-type');
  const segments = find(saved, 'rt-segsleft');
  const length = find(saved, 'rt-len');
  const addresses = textOf(saved, 'rt-0-addrs');
  return (
    ' rt' +
    (type === undefined ? '' : ` type:${type.invert ? '!' : ''}${type.values[0]}`) +
    (segments === undefined ? '' : ` ${ranged('segsleft', segments)}`) +
    (length === undefined ? '' : ` length:${length.invert ? '!' : ''}${length.values[0]}`) +
    flag(saved, 'rt-0-res', ' reserved') +
    (addresses === undefined ? '' : ` 0-addrs ${addresses}`) +
    flag(saved, 'rt-0-not-strict', ' 0-not-strict')
  );
};

export const listAh6: Listing = (saved) => {
  const length = find(saved, 'ahlen');
  return ` ah ${ranged('spi', find(saved, 'ahspi'))}${length === undefined ? '' : `length:${length.invert ? '!' : ''}${length.values[0]}`}${flag(saved, 'ahres', ' reserved')}`;
};

/** Bits of libip6t_ipv6header by name. */
const HEADERS: Readonly<Record<string, number>> = {
  'hop-by-hop': 0x80,
  'ipv6-opts': 0x40,
  'ipv6-route': 0x20,
  'ipv6-frag': 0x10,
  ah: 0x08,
  esp: 0x04,
  'ipv6-nonxt': 0x02,
  prot: 0x01,
};

export const listIpv6header: Listing = (saved, { numeric }) => {
  const header = find(saved, 'header');
  const names = header?.values[0] ?? '';
  const bits = names.split(',').reduce((sum, name) => sum | (HEADERS[name] ?? 0), 0);
  const shown = numeric ? `0x${bits.toString(16).toUpperCase().padStart(2, '0')}` : names;
  return ` ipv6header flags:${header?.invert === true ? '!' : ''}${shown}${flag(saved, 'soft', ' soft')}`;
};

export const listMh: Listing = (saved, { numeric }) => {
  const type = find(saved, 'mh-type');
  if (type === undefined) return ' mh';
  const ends = (type.values[0] ?? '').split(':').map((end) => (numeric ? end : mhTypeName(end)));
  return ` mh ${type.invert ? '!' : ''}${ends.join(':')}`;
};

export const listSrh: Listing = (saved) =>
  ` srh${saved
    .map(({ name, invert, values }) => {
      const short = name.replace(/^srh-/, '');
      const not = invert ? '!' : '';
      return /^[pnl]sid$/.test(short) ? ` ${short} ${invert ? '! ' : ''}${values[0]}` : ` ${short}:${not}${values[0]}`;
    })
    .join('')}`;
