import { all, any, conditions, equals, invertIf, masked, require, TRUE } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import type { MatchExtension } from '../contract.ts';
import { HELPER as XT_HELPER } from '../layouts/connection.ts';
import { always, lowered } from '../options.ts';
import { text } from '../values/text.ts';

/** xt_helper. An empty name matches every connection that has a helper. */
export const helper: MatchExtension = {
  kind: 'match',
  name: 'helper',
  summary: 'The connection belongs to another one that a helper of connection tracking watches.',
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  layouts: XT_HELPER,
  options: [
    {
      name: 'helper',
      value: text(29, { truncate: true }),
      syntax: 'name of up to 29 bytes',
      invertible: true,
      mandatory: true,
    },
  ],
  notes: ['Any helper whose name the given one begins with matches: `--helper ftp-2121` also matches a helper `ftp`.'],
  lower(options) {
    const { text: name, invert } = always(options, 'helper', 'text');
    // Without a master or its helper the answer is the inversion itself.
    return lowered(conditions(require(invertIf(invert, all(equals('ct.helped', 1), beginsWithHelper(name))))));
  },
};

/** NF_CT_HELPER_NAME_LEN, its last byte always NUL. */
const NAME_BYTES = 16;

/** The name of the helper is what `name` begins with: helper_mt compares no more bytes than the helper's name has. */
function beginsWithHelper(name: string): Expr {
  if (name === '') return TRUE;
  const bytes = new TextEncoder().encode(name);
  const names: Expr[] = [];
  for (let length = 0; length <= Math.min(bytes.length, NAME_BYTES - 1); length++) {
    // What follows the NUL does not count.
    let value = 0n;
    let mask = 0n;
    for (let at = 0; at <= length; at++) {
      value = (value << 8n) | BigInt(at === length ? 0 : bytes[at]!);
      mask = (mask << 8n) | 0xffn;
    }
    const shift = BigInt(8 * (NAME_BYTES - 1 - length));
    names.push(masked('ct.helper', value << shift, mask << shift));
  }
  return any(...names);
}
