import { require } from '../../policy/expr.ts';
import { type ClassicScan, runsOnBytes } from '../../policy/scan-classic.ts';
import { asking } from '../asking.ts';
import type { MatchExtension } from '../contract.ts';
import { BPF as XT_BPF } from '../layouts/programs.ts';
import { always, given, lowered, requireOneOf } from '../options.ts';
import { askedHere } from '../staging.ts';
import { classicBpf, classicInstructions } from '../values/classic-bpf.ts';
import { name } from '../values/name.ts';

/** xt_bpf revision 1. */
export const bpf: MatchExtension = {
  kind: 'match',
  name: 'bpf',
  summary: 'A BPF program: classic, written out, or one that is pinned in the BPF file system.',
  notes: [
    'A pinned program, or a classic one that asks for more than bytes of the packet, is run by the kernel on every packet just before the rules.',
    'A pinned program with maps is run by the kernel when a packet gets to the rule.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_BPF,
  options: [
    { name: 'bytecode', value: classicBpf, syntax: '"n,code jt jf k,..."', excludes: ['object-pinned'] },
    { name: 'object-pinned', value: name(511, { whole: true }), syntax: 'path', excludes: ['bytecode'] },
  ],
  check: (options, ctx) => requireOneOf('match "bpf"', ['bytecode', 'object-pinned'], options, ctx.span),
  lower(options, ctx) {
    const pinned = given(options, 'object-pinned', 'text');
    if (pinned === undefined) {
      const instructions = classicInstructions(always(options, 'bytecode', 'bytes')).map(
        ({ code, jt, jf, k }) => [code, jt, jf, k] as const,
      );
      if (!runsOnBytes(instructions)) return asking(ctx, { kind: 'classic', instructions });
      const scan: ClassicScan = { kind: 'classic', program: instructions };
      return lowered([require(Object.freeze({ kind: 'scan', scan, outcome: 'yes' }))]);
    }
    const question = { kind: 'program', path: pinned.text } as const;
    // With maps it can remember, so that it must run for packets that get to the rule, and for no others.
    if (ctx.objects?.programs.get(pinned.text)?.maps === true) return lowered([askedHere(ctx, question)]);
    return asking(ctx, question);
  },
};
