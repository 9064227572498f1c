/** What must hold for any input whatever: no exception, no hang, and what is accepted prints to a fixed point. */

import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import { type FuzzInput, makeInput } from './mutate.ts';

export interface FuzzResult {
  readonly inputs: number;
  readonly accepted: number;
  /** Longest time for one input, in milliseconds. */
  readonly slowest: number;
  readonly failures: readonly { readonly number: number; readonly input: FuzzInput; readonly why: string }[];
}

/** More than this for one small input is a hang. */
const SLOW_MS = 1000;

/** Why an input is a find, undefined if all is well. */
export function check({ family, text }: FuzzInput): { readonly accepted: boolean; readonly why?: string } {
  try {
    const { ruleset, diagnostics } = parseRuleset({ name: 'fuzz', text }, family);
    if (ruleset === undefined) {
      const [first] = diagnostics;
      if (first === undefined) return { accepted: false, why: 'refused without a reason' };
      if (diagnostics.some((item) => item.span === undefined))
        return { accepted: false, why: 'a diagnostic has no place' };
      formatDiagnostic(first);
      return { accepted: false };
    }
    const once = printRuleset(ruleset, { counters: true });
    const again = parseRuleset({ name: 'printed', text: once }, family);
    if (again.ruleset === undefined) {
      return { accepted: true, why: `what was printed is refused: ${again.diagnostics[0]?.message}\n${once}` };
    }
    const twice = printRuleset(again.ruleset, { counters: true });
    return once === twice ? { accepted: true } : { accepted: true, why: `printing is not stable:\n${once}\n${twice}` };
  } catch (error) {
    return { accepted: false, why: `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
  }
}

/** Runs inputs `first` to `first + count`. */
export function fuzz(first: number, count: number, seeds: readonly string[]): FuzzResult {
  const failures: { number: number; input: FuzzInput; why: string }[] = [];
  let accepted = 0;
  let slowest = 0;
  for (let number = first; number < first + count; number++) {
    const input = makeInput(number, seeds);
    const start = performance.now();
    const result = check(input);
    const took = performance.now() - start;
    slowest = Math.max(slowest, took);
    if (result.accepted) accepted++;
    const why = result.why ?? (took > SLOW_MS ? `took ${took} ms` : undefined);
    if (why !== undefined && failures.length < 100) failures.push({ number, input, why });
  }
  return { inputs: count, accepted, slowest, failures };
}
