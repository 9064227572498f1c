import { asking } from '../asking.ts';
import type { MatchExtension } from '../contract.ts';
import { cannot, given, requireOneOf } from '../options.ts';
import { classicBpf } from '../values/classic-bpf.ts';
import { name } from '../values/name.ts';

/** xt_bpf revision 1. */
export const bpf: MatchExtension = {
  kind: 'match',
  name: 'bpf',
  summary: 'A BPF program: classic, written out, or one that is pinned in the BPF file system.',
  notes: ['A pinned program with maps keeps its table with the kernel.'],
  families: ['ipv4', 'ipv6'],
  options: [
    { name: 'bytecode', value: classicBpf, syntax: '"n,code jt jf k,..."', excludes: ['object-pinned'] },
    { name: 'object-pinned', value: name(511, { whole: true }), syntax: 'path', excludes: ['bytecode'] },
  ],
  check: (options, ctx) => requireOneOf('match "bpf"', ['bytecode', 'object-pinned'], options, ctx.span),
  lower(options, ctx) {
    const pinned = given(options, 'object-pinned', 'text');
    if (pinned === undefined) return cannot('classic programs are run by the kernel');
    if (ctx.objects?.programs.get(pinned.text)?.maps === true)
      return cannot(`the program ${pinned.text} has maps, and it would run for packets that have not reached the rule`);
    return asking(ctx, { kind: 'program', path: pinned.text });
  },
};
