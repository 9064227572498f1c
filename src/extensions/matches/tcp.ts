import { between, conditions, equals, hotdrop, invertIf, masked, not, require } from '../../policy/expr.ts';
import type { Condition } from '../../policy/ir.ts';
import type { LowerContext, MatchExtension, OptionMap } from '../contract.ts';
import { TCP as XT_TCP } from '../layouts/transport.ts';
import { given, givenRange, lowered, withOption, without } from '../options.ts';
import { fragmentOffset, inRange, transportHeader } from '../transport.ts';
import { flag } from '../values/flag.ts';
import { integer } from '../values/integer.ts';
import { portRange } from '../values/port.ts';
import { tcpFlags } from '../values/tcp-flags.ts';
import { portOptions, withoutIdlePorts } from './ports.ts';

const TCP_HEADER = 20;
/** What `--syn` stands for: of FIN, SYN, RST and ACK only SYN is set. */
const SYN = { kind: 'masked', mask: 0x17n, value: 0x02n } as const;

/** xt_tcp (tcp_mt): ports, flags, one option. */
export const tcp: MatchExtension = {
  kind: 'match',
  name: 'tcp',
  summary: 'Ports, flags and options of a TCP header.',
  notes: ['A fragment at offset 8 and a header of less than 20 bytes drop the packet, whatever the options are.'],
  families: ['ipv4', 'ipv6'],
  protocols: [6],
  layouts: XT_TCP,
  options: [
    ...portOptions(portRange('tcp')),
    { name: 'tcp-option', value: integer(1n, 255n), syntax: 'number', invertible: true },
    { name: 'tcp-flags', value: tcpFlags, syntax: 'mask set', invertible: true, excludes: ['syn'] },
    { name: 'syn', value: flag, invertible: true, excludes: ['tcp-flags'] },
  ],
  normalise(options) {
    const folded =
      options['syn'] === undefined ? options : withOption(without(options, 'syn'), 'tcp-flags', SYN, options['syn']);
    const flags = given(folded, 'tcp-flags', 'masked');
    const idle = flags !== undefined && flags.mask === 0n && flags.value === 0n && !flags.invert;
    return withoutIdlePorts(idle ? without(folded, 'tcp-flags') : folded);
  },
  lower: (options, ctx) => lowered(conditions(...tcpConditions(options, ctx))),
};

const FRAGMENT_AT_8 = hotdrop(equals(fragmentOffset('ipv4'), 1));

function tcpConditions(options: OptionMap, ctx: LowerContext): readonly Condition[] {
  const flags = given(options, 'tcp-flags', 'masked');
  const list: Condition[] = [];
  // A fragment that begins 8 bytes into the header would overwrite its flags. IPv6 counts bytes, where 1 cannot occur.
  if (ctx.family === 'ipv4') list.push(FRAGMENT_AT_8);
  list.push(
    ...transportHeader(ctx.family, TCP_HEADER),
    require(inRange('transport.sport', givenRange(options, 'sport'))),
    require(inRange('transport.dport', givenRange(options, 'dport'))),
  );
  if (flags !== undefined) list.push(require(invertIf(flags.invert, masked('tcp.flags', flags.value, flags.mask))));
  const option = given(options, 'tcp-option', 'integer');
  if (option !== undefined) {
    list.push(
      hotdrop(between('tcp.headerLength', 0, TCP_HEADER - 1)),
      hotdrop(not({ kind: 'tcpOptionsReadable' })),
      require(invertIf(option.invert, { kind: 'tcpOption', option: Number(option.value) })),
    );
  }
  return list;
}
