/** Matches that the kernel answers: the one condition that such a match adds to its rule. */

import { conditions, invertIf, require } from '../policy/expr.ts';
import type { Condition } from '../policy/ir.ts';
import { MAX_QUESTIONS, type Question } from '../policy/question.ts';
import type { LowerContext, Lowered } from './contract.ts';
import { cannot, lowered } from './options.ts';

/** The match holds if the kernel says yes (`invert`: no) to `question`. */
export function asking(
  ctx: Pick<LowerContext, 'ask'>,
  question: Question,
  invert = false,
): Lowered<readonly Condition[]> {
  const yes = ctx.ask(question);
  if (yes === undefined) return cannot(`a table can ask the kernel ${MAX_QUESTIONS} different questions at most`);
  return lowered(conditions(require(invertIf(invert, yes))));
}
