import { devicePattern } from '../packet/device.ts';
import type { Family } from '../packet/netfilter.ts';
import { conditions, equals, hotdrop, invertIf, masked, not, require } from '../policy/expr.ts';
import type { FieldName } from '../policy/fields.ts';
import type { Condition, Expr } from '../policy/ir.ts';
import type { IpPart, MaskedAddress, Selector } from '../rules/model.ts';

/**
 * The ip part of a rule as conditions, in the order in which ip_packet_match and ip6_packet_match test it: source,
 * destination, input device, output device, protocol, fragment. Tests that always hold are left out.
 */
export function lowerIpPart(ip: IpPart, family: Family): readonly Condition[] {
  const protocol = family === 'ipv4' ? ipv4Protocol(ip) : ipv6Protocol(ip);
  return conditions(
    ...addressTest(ip.source, family === 'ipv4' ? 'ip.saddr' : 'ip6.saddr', family),
    ...addressTest(ip.destination, family === 'ipv4' ? 'ip.daddr' : 'ip6.daddr', family),
    ...deviceTest(ip.inInterface, 'meta.iifname'),
    ...deviceTest(ip.outInterface, 'meta.oifname'),
    ...protocol,
  );
}

function addressTest(
  selector: Selector<MaskedAddress> | undefined,
  field: FieldName,
  family: Family,
): readonly Condition[] {
  if (selector === undefined) return [];
  const { address, mask } = selector.value;
  // IPv4 compares (packet & mask) with the address as it stands, so stray bits outside the mask never match;
  // IPv6 compares ((packet ^ address) & mask) with 0, so they do not matter.
  const wanted = family === 'ipv4' ? address : address & mask;
  return [require(invertIf(selector.invert, masked(field, wanted, mask)))];
}

function deviceTest(selector: Selector<string> | undefined, field: FieldName): readonly Condition[] {
  if (selector === undefined) return [];
  const { value, mask } = devicePattern(selector.value);
  return [require(invertIf(selector.invert, masked(field, value, mask)))];
}

function ipv4Protocol(ip: IpPart): readonly Condition[] {
  const later: Expr = not(equals('ip.fragOffset', 0));
  return [
    // Protocol 0 asks nothing, even when it is inverted.
    ...(ip.protocol === undefined || ip.protocol.value === 0 ? [] : [protocolTest(ip.protocol, 'ip.protocol')]),
    ...(ip.fragment === undefined ? [] : [require(invertIf(ip.fragment.invert, later))]),
  ];
}

/** `-p`, even `-p all`, walks the header chain; a chain that cannot be walked is the packet's end. */
function ipv6Protocol(ip: IpPart): readonly Condition[] {
  if (ip.protocol === undefined) return [];
  const walk = hotdrop(equals('ip6.chain', 1));
  return ip.protocol.value === 0 ? [walk] : [walk, protocolTest(ip.protocol, 'ip6.protocol')];
}

function protocolTest(selector: Selector<number>, field: FieldName): Condition {
  return require(invertIf(selector.invert, equals(field, selector.value)));
}
