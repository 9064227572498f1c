/** Structures of the targets of table nat: ranges of addresses and ports. */

import { formatAddress, parseAddress } from '../../packet/address.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import { custom, flag, plain } from './fields.ts';
import {
  be16,
  bit,
  isSet,
  LayoutError,
  type Place,
  read,
  readAddress,
  set,
  u32,
  write,
  writeAddress,
  type XtContext,
  type XtField,
  type XtLayout,
} from './layout.ts';

/** NF_NAT_RANGE_* */
const FLAG = { IPS: 1, PORTS: 2, RANDOM: 4, PERSISTENT: 8, FULLY: 16, OFFSET: 32 } as const;

/** Where the parts of a range lie. */
interface Shape {
  readonly flags: Place;
  readonly min: number;
  readonly max: number;
  readonly ports: readonly [Place, Place];
  readonly base?: Place;
  /** The number of ranges, always 1. */
  readonly count?: Place;
}

/** struct nf_nat_ipv4_multi_range_compat, struct nf_nat_range, struct nf_nat_range2. */
const OLD: Shape = { count: u32(0), flags: u32(4), min: 8, max: 12, ports: [be16(16), be16(18)] };
const PLAIN: Shape = { flags: u32(0), min: 4, max: 20, ports: [be16(36), be16(38)] };
const SHIFTED: Shape = { ...PLAIN, base: be16(40) };

interface Range {
  readonly addresses?: { readonly min: bigint; readonly max: bigint };
  readonly ports?: { readonly min: bigint; readonly max: bigint; readonly base?: bigint };
}

function putRange({ addresses, ports }: Range, info: DataView, shape: Shape, family: Family): void {
  if (shape.count !== undefined) write(info, shape.count, 1n);
  if (addresses !== undefined) {
    set(info, bit(shape.flags, FLAG.IPS));
    writeAddress(info, shape.min, family, addresses.min);
    writeAddress(info, shape.max, family, addresses.max);
  }
  if (ports === undefined) return;
  set(info, bit(shape.flags, FLAG.PORTS));
  write(info, shape.ports[0], ports.min);
  write(info, shape.ports[1], ports.max);
  if (ports.base === undefined) return;
  if (shape.base === undefined) throw new LayoutError('its ports cannot be shifted');
  set(info, bit(shape.flags, FLAG.OFFSET));
  write(info, shape.base, ports.base);
}

function getRange(info: DataView, shape: Shape, family: Family): Range {
  if (shape.count !== undefined && read(info, shape.count) !== 1n) throw new LayoutError('more than one range');
  const has = (mask: number): boolean => isSet(info, bit(shape.flags, mask));
  return {
    ...(has(FLAG.IPS)
      ? { addresses: { min: readAddress(info, shape.min, family), max: readAddress(info, shape.max, family) } }
      : {}),
    ...(has(FLAG.PORTS)
      ? {
          ports: {
            min: read(info, shape.ports[0]),
            max: read(info, shape.ports[1]),
            ...(shape.base !== undefined && has(FLAG.OFFSET) ? { base: read(info, shape.base) } : {}),
          },
        }
      : {}),
  };
}

/** The text that values/nat-range.ts makes, taken apart. */
function readRange(text: string, family: Family): Range {
  const found =
    family === 'ipv6'
      ? (/^(?:\[(.*)\])?:([\d\-/]+)$/.exec(text) ?? [text, text, undefined])
      : (/^(.*?)(?::(.*))?$/.exec(text) ?? []);
  const [, hosts = '', portText] = found;
  const [low = '', high = low] = hosts.split('-');
  const [min, max] = [parseAddress(low, family), parseAddress(high, family)];
  if (hosts !== '' && (min === undefined || max === undefined)) throw new LayoutError(`"${text}" is no range`);
  return {
    ...(min === undefined || max === undefined ? {} : { addresses: { min, max } }),
    ...(portText === undefined ? {} : { ports: readPorts(portText) }),
  };
}

function readPorts(text: string): NonNullable<Range['ports']> {
  const [, low, high, base] = /^(\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(text) ?? [];
  if (low === undefined) throw new LayoutError(`"${text}" are no ports`);
  return { min: BigInt(low), max: BigInt(high ?? low), ...(base === undefined ? {} : { base: BigInt(base) }) };
}

function formatPorts({ min, max, base }: NonNullable<Range['ports']>): string {
  return `${min === max ? min : `${min}-${max}`}${base === undefined ? '' : `/${base}`}`;
}

function formatRange({ addresses, ports }: Range, family: Family): string | undefined {
  const [low, high] = [addresses?.min, addresses?.max].map((one) =>
    one === undefined ? '' : formatAddress(one, family),
  );
  const hosts = low === high ? low : `${low}-${high}`;
  if (ports === undefined) return addresses === undefined ? undefined : hosts;
  return `${family === 'ipv6' && hosts !== '' ? `[${hosts}]` : hosts}:${formatPorts(ports)}`;
}

function rangeField(option: string, shape: Shape, portsOnly: boolean): XtField {
  return custom(
    (options, info, { family }) => {
      const use = given(options, option, 'text');
      const range = use === undefined ? {} : portsOnly ? { ports: readPorts(use.text) } : readRange(use.text, family);
      putRange(range, info, shape, family);
    },
    (info, { family }): OptionMap => {
      const range = getRange(info, shape, family);
      const text = portsOnly ? range.ports && formatPorts(range.ports) : formatRange(range, family);
      return text === undefined ? {} : { [option]: plain({ kind: 'text', text }) };
    },
  );
}

function layout(
  revision: number,
  shape: Shape,
  family: Family | undefined,
  option: string,
  portsOnly: boolean,
): XtLayout {
  return {
    revision,
    size: shape === OLD ? 24 : shape === PLAIN ? 40 : 48,
    ...(family === undefined ? {} : { families: [family] }),
    fields: [
      rangeField(option, shape, portsOnly),
      flag('random', bit(shape.flags, FLAG.RANDOM)),
      flag('random-fully', bit(shape.flags, FLAG.FULLY)),
      flag('persistent', bit(shape.flags, FLAG.PERSISTENT)),
    ],
  };
}

export const SNAT: readonly XtLayout[] = [
  layout(0, OLD, 'ipv4', 'to-source', false),
  layout(1, PLAIN, undefined, 'to-source', false),
  layout(2, SHIFTED, undefined, 'to-source', false),
];

/** The first one is what iptables gives; the others are older. */
export const DNAT: readonly XtLayout[] = [
  layout(2, SHIFTED, undefined, 'to-destination', false),
  layout(1, PLAIN, undefined, 'to-destination', false),
  layout(0, OLD, 'ipv4', 'to-destination', false),
];

function ports(option: string): readonly XtLayout[] {
  return [layout(0, OLD, 'ipv4', option, true), layout(0, PLAIN, 'ipv6', option, true)];
}

export const MASQUERADE: readonly XtLayout[] = ports('to-ports');
export const REDIRECT: readonly XtLayout[] = ports('to-ports');

/** A network as the range of its addresses. */
function networkField(shape: Shape): XtField {
  return {
    put(options, info, { family }: XtContext) {
      const use = given(options, 'to', 'masked');
      if (use === undefined) throw new LayoutError('there is no network');
      const all = family === 'ipv4' ? 0xffff_ffffn : (1n << 128n) - 1n;
      putRange({ addresses: { min: use.value, max: use.value | (all & ~use.mask) } }, info, shape, family);
    },
    get(info, { family }): OptionMap {
      const { addresses } = getRange(info, shape, family);
      if (addresses === undefined) throw new LayoutError('there is no network');
      const all = family === 'ipv4' ? 0xffff_ffffn : (1n << 128n) - 1n;
      return { to: plain({ kind: 'masked', value: addresses.min, mask: all & ~(addresses.min ^ addresses.max) }) };
    },
  };
}

export const NETMAP: readonly XtLayout[] = [
  { revision: 0, size: 24, families: ['ipv4'], fields: [networkField(OLD)] },
  { revision: 0, size: 40, families: ['ipv6'], fields: [networkField(PLAIN)] },
];
