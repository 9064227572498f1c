/** Names in rules that stand for something of the machine: ipsets and pinned programs. */

import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import type { KernelObjects } from '../extensions/objects.ts';
import type { OptionUse, Ruleset } from '../rules/model.ts';
import { differentRules } from '../rules/rule-columns.ts';

/** A name that a rule mentions. */
export interface Mention {
  readonly kind: 'set' | 'program';
  readonly name: string;
  readonly span: Span | undefined;
}

const OPTIONS = {
  set: ['match-set', 'add-set', 'del-set', 'map-set'],
  program: ['object-pinned'],
} as const;
/** An error for each set that a rule names and the machine does not have. */
export function missingSets(ruleset: Ruleset, objects: KernelObjects): readonly Diagnostic[] {
  return mentionsIn(ruleset)
    .filter(({ kind, name }) => kind === 'set' && !objects.sets.has(name))
    .map(({ name, span }) => diagnostic('no-such-set', span, { name }));
}

/** Every mention, in the order of the rules. */
export function mentionsIn(ruleset: Ruleset): readonly Mention[] {
  return ruleset.tables.flatMap((table) =>
    table.chains.flatMap((chain) =>
      differentRules(chain).flatMap((rule) => [
        ...rule.matches.flatMap((match) => mentionsOf(match.options, match.span ?? rule.span)),
        ...(rule.target.kind === 'extension' ? mentionsOf(rule.target.options, rule.target.span ?? rule.span) : []),
      ]),
    ),
  );
}

function mentionsOf(options: Readonly<Record<string, OptionUse>>, span: Span | undefined): readonly Mention[] {
  const values = (names: readonly string[]): readonly OptionUse['value'][] =>
    names.flatMap((name) => options[name]?.value ?? []);
  return [
    ...values(OPTIONS.set).flatMap((value) =>
      value.kind === 'set' ? [{ kind: 'set' as const, name: value.members[0] ?? '', span }] : [],
    ),
    ...values(OPTIONS.program).flatMap((value) =>
      value.kind === 'text' ? [{ kind: 'program' as const, name: value.text, span }] : [],
    ),
  ];
}
