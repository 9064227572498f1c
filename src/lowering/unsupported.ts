import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import type { MatchUse } from '../rules/model.ts';

export function unsupportedMatch(use: MatchUse, span: Span | undefined): Diagnostic {
  return diagnostic('not-yet-supported-match', span, { name: use.name });
}

export function unsupportedTarget(name: string, span: Span | undefined): Diagnostic {
  return diagnostic('not-yet-supported-target', span, { name });
}
