import type { MatchExtension } from '../contract.ts';
import { requireOneOf } from '../options.ts';
import { classicBpf } from '../values/classic-bpf.ts';
import { name } from '../values/name.ts';

/** xt_bpf revision 1. */
export const bpf: MatchExtension = {
  kind: 'match',
  name: 'bpf',
  summary: 'A BPF program: classic, written out, or one that is pinned in the BPF file system.',
  families: ['ipv4', 'ipv6'],
  options: [
    { name: 'bytecode', value: classicBpf, syntax: '"n,code jt jf k,..."', excludes: ['object-pinned'] },
    { name: 'object-pinned', value: name(511, { whole: true }), syntax: 'path', excludes: ['bytecode'] },
  ],
  check: (options, ctx) => requireOneOf('match "bpf"', ['bytecode', 'object-pinned'], options, ctx.span),
};
