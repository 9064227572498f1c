/** What the targets of table nat share. */

import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import type { OptionMap, OptionSpec, RuleContext } from '../contract.ts';
import { given, refuse } from '../options.ts';
import { flag } from '../values/flag.ts';
import { hasPorts } from '../values/nat-range.ts';

/** Protocols whose ports iptables lets a nat target change: TCP, UDP, SCTP, DCCP, and ICMP for its id. */
const WITH_PORTS: readonly number[] = [1, 6, 17, 33, 58, 132];

export const RANDOM: OptionSpec = { name: 'random', value: flag };
export const RANDOM_FULLY: OptionSpec = { name: 'random-fully', value: flag };
export const PERSISTENT: OptionSpec = { name: 'persistent', value: flag };

/** Ports in the option `name` need a protocol that has some. An inverted protocol is not looked at. */
export function checkPorts(
  what: string,
  name: string,
  options: OptionMap,
  ctx: RuleContext & { readonly span?: Parameters<typeof refuse>[2] },
): readonly Diagnostic[] {
  const range = given(options, name, 'text');
  if (range === undefined || (name !== 'to-ports' && !hasPorts(range.text, ctx.family))) return [];
  if (WITH_PORTS.includes(ctx.ip.protocol?.value ?? 0)) return [];
  return refuse(what, `ports in --${name} need -p tcp, udp, sctp or dccp`, ctx.span);
}
