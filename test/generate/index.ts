/**
 * Generators for everything that compares: random rule sets as text, random packets, and packets made for a policy.
 * All are functions of fast-check's seed or of their arguments; nothing else is random.
 *
 *     fc.assert(fc.property(randomRulesetText('ipv4'), fc.array(randomPacket('ipv4')), (text, packets) => ...))
 *     for (const { packet, hook, why } of packetsFor(policy)) ...
 */

export { type DirectedOptions, type DirectedPacket, packetsFor } from './directed.ts';
export { MATCH_NAMES, type MatchName } from './matches.ts';
export { type NastyOptions, type NastyPacket, nastyPackets } from './nasty.ts';
export { type PacketShape, randomPacket, randomTraffic } from './packet.ts';
export { filterPolicy, policiesOf } from './policies.ts';
export { type RulesetShape, randomRulesetText } from './ruleset.ts';
export { UNIVERSE, type Universe } from './universe.ts';
