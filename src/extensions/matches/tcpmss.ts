import { between, conditions, hotdrop, invertIf, not, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { TCPMSS as XT_TCPMSS } from '../layouts/transport.ts';
import { always, lowered } from '../options.ts';
import { u16Range } from '../values/range.ts';

const TCP_HEADER = 20;

/** xt_tcpmss. */
export const tcpmss: MatchExtension = {
  kind: 'match',
  name: 'tcpmss',
  summary: 'The maximum segment size that a TCP header announces.',
  notes: [
    'A header that is cut off, or whose data offset is below 5, drops the packet. So does a later fragment that looks like one: the match does not ask about fragments.',
  ],
  families: ['ipv4', 'ipv6'],
  protocols: [6],
  layouts: XT_TCPMSS,
  options: [{ name: 'mss', value: u16Range, syntax: 'bytes[:bytes]', invertible: true, mandatory: true }],
  lower(options) {
    const { min, max, invert } = always(options, 'mss', 'range');
    const ranges = [{ min: Number(min), max: Number(max) }];
    return lowered(
      conditions(
        hotdrop(between('transport.length', 0, TCP_HEADER - 1)),
        hotdrop(between('tcp.headerLength', 0, TCP_HEADER - 1)),
        hotdrop(not({ kind: 'tcpOptionsReadable' })),
        require(invertIf(invert, { kind: 'scan', outcome: 'yes', scan: { kind: 'tcpMss', ranges } })),
      ),
    );
  },
};
