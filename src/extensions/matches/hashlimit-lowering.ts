/** hashlimit as a stateful test: the account that a packet belongs to, and what its table is like. */

import { ADDRESS_BITS } from '../../packet/address.ts';
import { all, between, equals, hotdrop, TRUE } from '../../policy/expr.ts';
import type { HashlimitTable } from '../../policy/hashlimit.ts';
import type { Condition } from '../../policy/ir.ts';
import type { LowerContext, Lowered, OptionMap } from '../contract.ts';
import { always, cannot, given, lowered } from '../options.ts';
import { fragmentOffset } from '../transport.ts';
import { hashlimitConfig } from './hashlimit.ts';

/** Protocols with ports at the beginning of their header (proto_ports_offset): TCP, UDP, DCCP, ESP, SCTP, UDP-Lite. */
const WITH_PORTS = [6, 17, 33, 50, 132, 136];
const AUTHENTICATION = 51;
const NO_NEXT_HEADER = 59;
const PORT_BYTES = 4;
/** A table's own list of chains takes 16 bytes for each account it may hold. */
const MOST_ACCOUNTS = 1 << 22;
const DEFAULT_COLLECTION = 1000;

export function lowerHashlimit(options: OptionMap, ctx: LowerContext): Lowered<readonly Condition[]> {
  const table = tableOf(options, ctx);
  if (Math.max(table.max, table.size * (table.max === 0 ? 8 : 1)) > MOST_ACCOUNTS)
    return cannot(`a table for more than ${MOST_ACCOUNTS} accounts takes too much memory`);
  const conditions: Condition[] = [];
  let ports = false;
  if (table.sourcePort || table.destinationPort) {
    const protocol = onlyProtocol(ctx);
    if (protocol === undefined) return cannot('which bytes are ports depends on the protocol: give one with -p');
    if (protocol === (ctx.family === 'ipv4' ? AUTHENTICATION : NO_NEXT_HEADER))
      return cannot('the kernel looks for ports of this protocol in places of its own');
    ports = WITH_PORTS.includes(protocol);
    // A later fragment of IPv6 has no ports (ipv6_skip_exthdr); of IPv4 its payload is taken for them.
    const whole = ctx.family === 'ipv6' ? equals(fragmentOffset(ctx.family), 0) : TRUE;
    if (ports) conditions.push(hotdrop(all(whole, between('transport.length', 0, PORT_BYTES - 1))));
  }
  const name = always(options, 'hashlimit-name', 'text').text;
  const state = ctx.addState({ kind: 'hashlimit', name, table });
  const { above } = hashlimitConfig(options);
  conditions.push({ kind: 'stateful', test: { kind: 'hashlimit', state, ports }, invert: above });
  return lowered(conditions);
}

/** The protocol that all packets of the rule have, if it says so. */
function onlyProtocol({ ip }: LowerContext): number | undefined {
  const { protocol } = ip;
  return protocol === undefined || protocol.invert || protocol.value === 0 ? undefined : protocol.value;
}

function tableOf(options: OptionMap, { family }: LowerContext): HashlimitTable {
  const config = hashlimitConfig(options);
  const modes = new Set(given(options, 'hashlimit-mode', 'set')?.members);
  const number = (name: string, usual: number): number =>
    Number(given(options, `hashlimit-${name}`, 'integer')?.value ?? usual);
  return {
    source: modes.has('srcip'),
    destination: modes.has('dstip'),
    sourcePort: modes.has('srcport'),
    destinationPort: modes.has('dstport'),
    sourceMask: number('srcmask', ADDRESS_BITS[family]),
    destinationMask: number('dstmask', ADDRESS_BITS[family]),
    bytes: config.bytes,
    rateMatch: config.rateMatch,
    average: Number(config.average),
    burst: Number(config.burst),
    expire: Number(config.expire),
    collect: number('htable-gcinterval', DEFAULT_COLLECTION),
    interval: Number(config.interval),
    size: number('htable-size', 0),
    max: number('htable-max', 0),
  };
}
