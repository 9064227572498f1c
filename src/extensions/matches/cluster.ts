import type { MatchExtension, OptionMap, OptionSpec } from '../contract.ts';
import { CLUSTER as XT_CLUSTER } from '../layouts/connection.ts';
import { always, given, lowered, printOptions, refuse, requireOneOf, withOption, without } from '../options.ts';
import { askedHere, layoutQuestion } from '../staging.ts';
import { hexDigits } from '../values/hex-digits.ts';
import { integer } from '../values/integer.ts';
import { U32_MAX } from '../values/numbers.ts';

const MATCH = 'match "cluster"';
const NODES = integer(1n, 32n);

const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'cluster-local-node',
    value: NODES,
    syntax: 'n',
    invertible: true,
    excludes: ['cluster-local-nodemask'],
  },
  {
    name: 'cluster-local-nodemask',
    value: hexDigits(1n, U32_MAX, 8),
    syntax: 'bits',
    invertible: true,
    excludes: ['cluster-local-node'],
  },
  { name: 'cluster-total-nodes', value: NODES, syntax: '1...32', mandatory: true },
  { name: 'cluster-hash-seed', value: hexDigits(0n, U32_MAX, 8), syntax: 'n', mandatory: true },
];

/** xt_cluster. The kernel knows masks only. */
export const cluster: MatchExtension = {
  kind: 'match',
  name: 'cluster',
  summary:
    'The packets of this node, where several nodes share an address and each takes its part by a hash of the source.',
  notes: [
    'iptables reads no mask above 32 back, although it prints them; a mask of one node above the sixth is printed as that node.',
  ],
  families: ['ipv4', 'ipv6'],
  conntrack: true,
  layouts: XT_CLUSTER,
  options: OPTIONS,
  normalise(options) {
    const node = given(options, 'cluster-local-node', 'integer');
    if (node === undefined) return options;
    const mask = { kind: 'integer', value: 1n << (node.value - 1n) } as const;
    return withOption(
      without(options, 'cluster-local-node'),
      'cluster-local-nodemask',
      mask,
      options['cluster-local-node'],
    );
  },
  check(options, ctx) {
    const missing = requireOneOf(MATCH, ['cluster-local-node', 'cluster-local-nodemask'], options, ctx.span);
    if (missing.length > 0) return missing;
    const nodes = always(options, 'cluster-total-nodes', 'integer').value;
    const { value } = always(options, 'cluster-local-nodemask', 'integer');
    if (value < 1n << nodes) return [];
    return refuse(MATCH, `there are ${nodes} nodes; the local one is not among them`, ctx.span);
  },
  print: (options, ctx) => printOptions(OPTIONS, printable(options), ctx),
  // The match makes packets to a multicast link-layer address its own (skb->pkt_type).
  suspends: () => true,
  lower: (options, ctx) => lowered([askedHere(ctx, layoutQuestion('cluster', XT_CLUSTER, options, ctx))]),
};

function printable(options: OptionMap): OptionMap {
  const { value } = always(options, 'cluster-local-nodemask', 'integer');
  if (value <= 32n || (value & (value - 1n)) !== 0n) return options;
  const node = { kind: 'integer', value: BigInt(value.toString(2).length) } as const;
  const mask = options['cluster-local-nodemask'];
  return withOption(without(options, 'cluster-local-nodemask'), 'cluster-local-node', node, mask);
}
