/** Asking the evaluator about hand-made packets: small words for its tests. */

import { ipv4, ipv6 } from '../../src/packet/craft.ts';
import type { Hook } from '../../src/packet/netfilter.ts';
import { type Payload, TCP_FLAGS, tcp } from '../../src/packet/transport.ts';
import { type Evaluation, evaluate } from '../../src/policy/evaluate.ts';
import { createMemory } from '../../src/policy/memory.ts';
import { type PacketView, packetView } from '../../src/policy/packet-view.ts';
import { filterPolicy } from './policies.ts';

const HZ = 250;
const eth0 = { in: { name: 'eth0', ifindex: 2 } };

type Meta = Partial<Omit<PacketView, 'family' | 'bytes'>>;

/** An IPv4 packet that came in by eth0. */
export function four(payload: Payload, fields: Parameters<typeof ipv4>[0] = {}, meta: Meta = {}): PacketView {
  return packetView({ family: 'ipv4', bytes: ipv4(fields, payload), ...eth0, ...meta });
}

/** An IPv6 packet that came in by eth0. */
export function six(payload: Payload, fields: Parameters<typeof ipv6>[0] = {}, meta: Meta = {}): PacketView {
  return packetView({ family: 'ipv6', bytes: ipv6(fields, payload), ...eth0, ...meta });
}

/** TCP from port 1000 to port 80. */
export const syn = tcp({ source: 1000, destination: 80, flags: TCP_FLAGS.SYN });

export type NamedEvaluation = Omit<Evaluation, 'counted'> & { readonly counted: readonly string[] };

/** Runs packets through a filter table, one after the other; what counted has a name: `INPUT 1`, `user 2`, `INPUT policy`. */
export function evaluateAll(
  lines: readonly string[],
  packets: readonly PacketView[],
  hook: Hook = 'INPUT',
): readonly NamedEvaluation[] {
  const policy = filterPolicy(packets[0]!.family, ...lines);
  const names = policy.chains.flatMap((chain) => [
    ...chain.rules.map((_, at) => `${chain.name} ${at + 1}`),
    ...(chain.base === undefined ? [] : [`${chain.name} policy`]),
  ]);
  const memory = createMemory(policy, HZ);
  return packets.map((packet) => {
    const result = evaluate(policy, hook, packet, memory);
    return { ...result, counted: result.counted.map((counter) => names[counter]!) };
  });
}

/** What one packet makes of one rule: it matches, it does not, or it is dropped by hotdrop. */
export function answer(rule: string, packet: PacketView, hook: Hook = 'INPUT'): 'yes' | 'no' | 'hotdrop' {
  const [result] = evaluateAll([`-A ${hook} ${rule}`], [packet], hook);
  if (result!.hotdrop) return 'hotdrop';
  return result!.counted.includes(`${hook} 1`) ? 'yes' : 'no';
}
