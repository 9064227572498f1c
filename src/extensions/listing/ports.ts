/** Listings of the matches that look at ports. */

import { type ServiceProtocol, serviceName } from '../../packet/services.ts';
import { CHUNK_TYPES } from '../values/chunk-types.ts';
import { dccpTypes } from './more-matches.ts';
import type { Listing, ListingContext, SavedOption } from './saved.ts';
import { textOf } from './saved.ts';

/** ` spt:22`, ` dpts:!1:1023`. */
function portText(
  { name, invert, values }: SavedOption,
  protocol: ServiceProtocol | undefined,
  numeric: boolean,
): string {
  const [low = '', high] = (values[0] ?? '').split(':');
  const port = (text: string): string => nameOf(text, protocol, numeric);
  const what = `${name === 'sport' ? 'spt' : 'dpt'}${high === undefined ? '' : 's'}`;
  const range =
    high === undefined ? port(low) : `${port(low === '' ? '0' : low)}:${port(high === '' ? '65535' : high)}`;
  return ` ${what}:${invert ? '!' : ''}${range}`;
}

function nameOf(text: string, protocol: ServiceProtocol | undefined, numeric: boolean): string {
  return (numeric || protocol === undefined ? undefined : serviceName(Number(text), protocol)) ?? text;
}

const FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];

/** `0x17` for FIN,SYN,RST,ACK. */
function flagBits(text: string): string {
  const names = text.split(',');
  const bits = FLAGS.reduce((sum, name, at) => (names.includes(name) ? sum | (1 << at) : sum), 0);
  return `0x${bits.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** tcp, udp, udplite, sctp and dccp: ports, then what only they have. */
function transport(
  name: string,
  protocol: ServiceProtocol | undefined,
  more: (option: SavedOption, ctx: ListingContext) => string,
): Listing {
  return (saved, ctx) => {
    const parts = saved.map((option) =>
      option.name === 'sport' || option.name === 'dport' ? portText(option, protocol, ctx.numeric) : more(option, ctx),
    );
    return ` ${name}${parts.join('')}`;
  };
}

export const listTcp = transport('tcp', 'tcp', ({ name, invert, values }, { numeric }) => {
  const not = invert ? '!' : '';
  if (name === 'tcp-option') return ` option=${not}${values[0]}`;
  const [mask = '', set = ''] = values;
  return numeric ? ` flags:${not}${flagBits(mask)}/${flagBits(set)}` : ` flags:${not}${mask}/${set}`;
});

export const listUdp = transport('udp', 'udp', () => '');
export const listUdplite = transport('udp', 'udp', () => '');
export const listDccp = transport('dccp', undefined, (option, { numeric }) => {
  const { name, invert, values } = option;
  const not = invert ? '!' : '';
  return name === 'dccp-option' ? ` option=${not}${values[0]}` : dccpTypes(option, numeric);
});

export const listSctp = transport('sctp', 'sctp', ({ invert, values }, { numeric }) => {
  const [how = '', list = ''] = values;
  const chunks = list.split(',').map((chunk) => {
    const [type = '', flags] = chunk.split(':');
    const number = CHUNK_TYPES[type];
    const shown = numeric && number !== undefined ? `0x${number.toString(16).toUpperCase().padStart(4, '0')}` : type;
    return flags === undefined ? shown : `${shown}:${flags}`;
  });
  return ` ${invert ? '! ' : ''}${how} ${chunks.join(',')}`;
});

const MULTIPORT_PROTOCOLS: Readonly<Record<number, ServiceProtocol | undefined>> = {
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  132: 'sctp',
};

export const listMultiport: Listing = (saved, { ip, numeric }) => {
  const protocol = MULTIPORT_PROTOCOLS[ip.protocol?.value ?? 0];
  const parts = saved.map(({ name, invert, values }) => {
    const ports = (values[0] ?? '').split(',').map((range) =>
      range
        .split(':')
        .map((port) => nameOf(port, protocol, numeric))
        .join(':'),
    );
    return ` multiport ${name} ${invert ? ' !' : ''}${ports.join(',')}`;
  });
  return parts.join('');
};

const SPI_MAX = '4294967295';

/** ah, esp, ipcomp: one number or a range, of which the whole asks nothing. */
export function spiListing(name: string, option: string, alone: string): Listing {
  return (saved) => {
    const value = textOf(saved, option);
    if (value === undefined) return ` ${name}${alone}`;
    const invert = saved.some((item) => item.name === option && item.invert) ? '!' : '';
    const [low = '', high] = value.split(':');
    const last = high === '' ? SPI_MAX : high;
    const range =
      last === undefined || last === low ? `spi:${invert}${low}` : `spis:${invert}${low === '' ? '0' : low}:${last}`;
    return ` ${name} ${range}`;
  };
}
