import type { DiagnosticCode } from '../../diagnostics/catalogue.ts';
import { type Diagnostic, type DiagnosticNote, diagnostic } from '../../diagnostics/diagnostic.ts';
import type { SourceText, Span } from '../../diagnostics/source.ts';

/** A place in the source that is being read: any word has one. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Collects what is wrong with one source. */
export interface Report {
  readonly found: Diagnostic[];
  span(place: Place): Span;
  add(
    code: DiagnosticCode,
    place: Place,
    params?: Readonly<Record<string, string | number>>,
    notes?: readonly DiagnosticNote[],
  ): void;
}

export function createReport(source: SourceText): Report {
  const found: Diagnostic[] = [];
  const span = ({ start, end }: Place): Span => ({ source, start, end });
  return {
    found,
    span,
    add(code, place, params, notes) {
      found.push(diagnostic(code, span(place), params, notes));
    },
  };
}
