import { conditions, equals, invertIf, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { MAC as XT_MAC } from '../layouts/packet.ts';
import { always, lowered } from '../options.ts';
import { macAddress } from '../values/mac.ts';

/** xt_mac. A packet without an Ethernet header does not match, inverted or not. */
export const mac: MatchExtension = {
  kind: 'match',
  name: 'mac',
  summary: 'Ethernet source address.',
  notes: ['A packet without an Ethernet header does not match, `!` or not.'],
  families: ['ipv4', 'ipv6'],
  hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
  layouts: XT_MAC,
  options: [{ name: 'mac-source', value: macAddress, syntax: 'aa:bb:cc:dd:ee:ff', invertible: true, mandatory: true }],
  lower(options) {
    const { bytes, invert } = always(options, 'mac-source', 'bytes');
    const address = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return lowered(
      conditions(require(equals('mac.present', 1)), require(invertIf(invert, equals('mac.saddr', address)))),
    );
  },
};
