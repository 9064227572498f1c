import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import { findMatch, findTarget } from '../extensions/registry.ts';
import type { Family } from '../packet/netfilter.ts';
import type { MatchUse, Rule, Table } from '../rules/model.ts';

export function unsupportedMatch(use: MatchUse, span: Span | undefined): Diagnostic {
  return diagnostic('not-yet-supported-match', span, { name: use.name });
}

export function unsupportedTarget(name: string, span: Span | undefined): Diagnostic {
  return diagnostic('not-yet-supported-target', span, { name });
}

/**
 * Every match and target of a table that has no data path yet. For a file with other faults, whose tables cannot be lowered:
 * all that is wrong with it can still be said at once.
 */
export function unsupportedIn(table: Table, family: Family): readonly Diagnostic[] {
  const faults = ({ matches, target, span }: Rule): readonly Diagnostic[] => [
    ...matches
      .filter((use) => findMatch(use.name, family)?.lower === undefined)
      .map((use) => unsupportedMatch(use, use.span ?? span)),
    ...(target.kind === 'extension' && findTarget(target.name, family)?.lower === undefined
      ? [unsupportedTarget(target.name, target.span ?? span)]
      : []),
  ];
  return table.chains.flatMap((chain) => chain.rules.flatMap(faults));
}
