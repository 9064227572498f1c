/** Matches that the kernel itself evaluates when, and only when, a packet gets to them (policy/staged.ts). */

import type { Condition } from '../policy/ir.ts';
import type { Question } from '../policy/question.ts';
import type { LowerContext, OptionMap } from './contract.ts';
import type { XtLayout } from './layouts/layout.ts';

/** The condition that the kernel's match holds; `invert`: that it does not. */
export function askedHere(ctx: Pick<LowerContext, 'askHere'>, question: Question, invert = false): Condition {
  return { kind: 'stateful', test: { kind: 'staged', question: ctx.askHere(question) }, invert };
}

/** A match of the kernel with the structure that iptables would fill. */
export function layoutQuestion(
  name: string,
  layouts: readonly XtLayout[],
  options: OptionMap,
  { family, ip }: Pick<LowerContext, 'family' | 'ip'>,
): Question {
  const layout = layouts.find(({ families }) => families?.includes(family) ?? true);
  if (layout === undefined) throw new RangeError(`match ${name} has no structure for ${family}`);
  // Matches are handed over in multiples of 8 bytes.
  const info = new DataView(new ArrayBuffer(Math.ceil(layout.size / 8) * 8));
  for (const field of layout.fields) field.put(options, info, { family, ip });
  return Object.freeze({
    kind: 'extension',
    name: layout.kernelName ?? name,
    revision: layout.revision,
    info: Object.freeze([...new Uint8Array(info.buffer)]),
    ...(ip.protocol === undefined || ip.protocol.invert ? {} : { protocol: ip.protocol.value }),
  });
}
