/** The ip part of an entry (`struct ipt_ip`, `struct ip6t_ip6`) and of a rule. */

import { readAddress, readText, writeAddress, writeText } from '../extensions/layouts/layout.ts';
import type { Family } from '../packet/netfilter.ts';
import type { IpPart, MaskedAddress, Selector } from '../rules/model.ts';
import { ENTRY, FLAG, IFNAMSIZ, INVERTED } from './format.ts';
import { blobError } from './problem.ts';

export function writeIpPart(ip: IpPart, view: DataView, family: Family): void {
  const format = ENTRY[family];
  const set = (at: number, mask: number): void => view.setUint8(at, view.getUint8(at) | mask);
  const invert = (selector: { readonly invert: boolean } | undefined, mask: number): void => {
    if (selector?.invert === true) set(format.inverted, mask);
  };
  for (const [at, selector] of [ip.source, ip.destination].entries()) {
    if (selector === undefined) continue;
    writeAddress(view, at * format.address, family, selector.value.address);
    writeAddress(view, (2 + at) * format.address, family, selector.value.mask);
  }
  writeInterface(view, format.inInterface, format.inMask, ip.inInterface?.value);
  writeInterface(view, format.outInterface, format.outMask, ip.outInterface?.value);
  if (ip.protocol !== undefined) {
    view.setUint16(format.protocol, ip.protocol.value, true);
    if (family === 'ipv6') set(format.flags, FLAG.protocolGiven);
  }
  if (ip.fragment !== undefined) set(format.flags, FLAG.fragment);
  invert(ip.source, INVERTED.source);
  invert(ip.destination, INVERTED.destination);
  invert(ip.inInterface, INVERTED.in);
  invert(ip.outInterface, INVERTED.out);
  invert(ip.protocol, INVERTED.protocol);
  invert(ip.fragment, INVERTED.fragment);
}

/** The mask has ones for what counts of a name: all of it with the NUL behind it, or what stands before a `+`. */
function writeInterface(view: DataView, at: number, maskAt: number, name: string | undefined): void {
  if (name === undefined || name === '') return;
  writeText(view, at, IFNAMSIZ, name);
  const length = new TextEncoder().encode(name).length;
  const counted = name.endsWith('+') ? length - 1 : length + 1;
  new Uint8Array(view.buffer, view.byteOffset + maskAt, counted).fill(0xff);
}

/** @throws BlobError (unsupported) where the bytes say what no option could */
export function readIpPart(view: DataView, family: Family, where: string): IpPart {
  const format = ENTRY[family];
  const inverted = view.getUint8(format.inverted);
  const flags = view.getUint8(format.flags) & ~format.goto;
  const has = (mask: number): boolean => (inverted & mask) !== 0;
  const address = (at: number, mask: number): Selector<MaskedAddress> | undefined => {
    const value = {
      address: readAddress(view, at * format.address, family),
      mask: readAddress(view, (2 + at) * format.address, family),
    };
    return value.address === 0n && value.mask === 0n && !has(mask) ? undefined : { value, invert: has(mask) };
  };
  const device = (at: number, mask: number): Selector<string> | undefined => {
    const value = readText(view, at, IFNAMSIZ);
    return value === '' && !has(mask) ? undefined : { value, invert: has(mask) };
  };
  const protocol = view.getUint16(format.protocol, true);
  const asksProtocol =
    family === 'ipv6' ? (flags & FLAG.protocolGiven) !== 0 : protocol !== 0 || has(INVERTED.protocol);
  const asksFragment = family === 'ipv4' && (flags & FLAG.fragment) !== 0;
  const [source, destination] = [address(0, INVERTED.source), address(1, INVERTED.destination)];
  const [inInterface, outInterface] = [
    device(format.inInterface, INVERTED.in),
    device(format.outInterface, INVERTED.out),
  ];
  const ip: IpPart = {
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
    ...(inInterface === undefined ? {} : { inInterface }),
    ...(outInterface === undefined ? {} : { outInterface }),
    ...(asksProtocol ? { protocol: { value: protocol, invert: has(INVERTED.protocol) } } : {}),
    ...(asksFragment ? { fragment: { invert: has(INVERTED.fragment) } } : {}),
  };
  const again = new DataView(new ArrayBuffer(format.ip));
  writeIpPart(ip, again, family);
  for (let at = 0; at < format.ip; at++) {
    const byte = at === format.flags ? flags : view.getUint8(at);
    if (again.getUint8(at) !== byte) throw blobError('unsupported', where, 'its ip part asks what no option says');
  }
  return ip;
}
