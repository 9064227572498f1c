import type { TargetExtension } from '../contract.ts';
import { MARK as XT_MARK } from '../layouts/targets.ts';
import { refuse } from '../options.ts';
import { foldMark, markOptions, xmark } from './mark-values.ts';

/** xt_MARK revision 2. */
export const mark: TargetExtension = {
  kind: 'target',
  name: 'MARK',
  summary: 'Changes the mark of the packet.',
  families: ['ipv4', 'ipv6'],
  effect: (options) => ({ change: { kind: 'mark', ...xmark(options) } }),
  layouts: XT_MARK,
  options: markOptions(),
  normalise: foldMark,
  check: (options, ctx) =>
    Object.keys(options).length > 0 ? [] : refuse('target "MARK"', 'it must be said what to do', ctx.span),
};
