/** From a phase to the routes it needs. */
import { bytesToInteger, formatAddress } from '../../src/packet/address.ts';
import type { Family } from '../../src/packet/netfilter.ts';
import type { Route } from '../support/topology.ts';
import type { Phase } from './stimulus.ts';

const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8];

/** The unicast destination of a frame, if it holds that much of an IP header. */
function destinationIn(frame: Uint8Array): { family: Family; address: bigint } | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  let at = 12;
  while (at + 4 < frame.length && VLAN_TYPES.includes(view.getUint16(at))) at += 4;
  if (at + 2 > frame.length) return undefined;
  const type = view.getUint16(at);
  if (type === 0x0800 && frame.length >= at + 22) {
    const first = frame[at + 18]!;
    // 0.0.0.0/8 and everything from 224.0.0.0 on is nobody's own address.
    if (first === 0 || first >= 224) return undefined;
    return { family: 'ipv4', address: bytesToInteger(frame.subarray(at + 18, at + 22)) };
  }
  if (type === 0x86dd && frame.length >= at + 42) {
    const address = bytesToInteger(frame.subarray(at + 26, at + 42));
    // Link-local addresses belong to their link: one that is ours on lo is not found from another device.
    const linkLocal = frame[at + 26] === 0xfe && (frame[at + 27]! & 0xc0) === 0x80;
    if (address === 0n || frame[at + 26] === 0xff || linkLocal) return undefined;
    return { family: 'ipv6', address };
  }
  return undefined;
}

/** What `deliver` must be told before the phase. */
export function routeOf({ path, stimuli }: Phase): Route {
  if (path.kind === 'forward') return path;
  const found: Record<Family, Set<bigint>> = { ipv4: new Set(), ipv6: new Set() };
  for (const stimulus of stimuli) {
    const destination = stimulus.kind === 'frame' ? destinationIn(stimulus.frame) : undefined;
    if (destination !== undefined) found[destination.family].add(destination.address);
  }
  const texts = (family: Family): readonly string[] =>
    [...found[family]].map((address) => formatAddress(address, family));
  return { kind: 'input', addresses: { ipv4: texts('ipv4'), ipv6: texts('ipv6') } };
}
