import { CATALOGUE, type DiagnosticCode } from './catalogue.ts';
import { lineAt, positionOf, type Span } from './source.ts';

/** Something the user should change. Collected, never thrown; the text comes from the catalogue. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly span?: Span;
  /** Further places and facts ("first declared here"). */
  readonly notes: readonly DiagnosticNote[];
  readonly help?: string;
}

export interface DiagnosticNote {
  readonly message: string;
  readonly span?: Span;
}

/** Makes a diagnostic from its catalogue entry; `%name%` in the catalogue text is replaced by `params.name`. */
export function diagnostic(
  code: DiagnosticCode,
  span: Span | undefined,
  params: Readonly<Record<string, string | number>> = {},
  notes: readonly DiagnosticNote[] = [],
): Diagnostic {
  const entry: { severity: 'error' | 'warning'; text: string; help?: string } = CATALOGUE[code];
  const fill = (text: string): string =>
    text.replace(/%(\w+)%/g, (whole, name: string) => String(params[name] ?? whole));
  return Object.freeze({
    code,
    severity: entry.severity,
    message: fill(entry.text),
    ...(span === undefined ? {} : { span }),
    notes: Object.freeze([...notes]),
    ...(entry.help === undefined ? {} : { help: fill(entry.help) }),
  });
}

/**
 * Prints a diagnostic the way compilers do:
 *
 *     rules.v4:12:24: error[bad-port]: "htpp" is neither a port number nor a service name
 *     -A INPUT -p tcp --dport htpp -j ACCEPT
 *                             ^^^^
 */
export function formatDiagnostic(item: Diagnostic): string {
  const lines = [`${prefix(item.span)}${item.severity}[${item.code}]: ${item.message}`, ...frame(item.span, '^')];
  for (const note of item.notes) lines.push(`${prefix(note.span)}note: ${note.message}`, ...frame(note.span, '~'));
  if (item.help !== undefined) lines.push(`help: ${item.help}`);
  return lines.join('\n');
}

function prefix(span: Span | undefined): string {
  if (span === undefined) return '';
  const { line, column } = positionOf(span.source, span.start);
  return `${span.source.name}:${line}:${column}: `;
}

function frame(span: Span | undefined, mark: string): string[] {
  if (span === undefined) return [];
  const line = lineAt(span.source, span.start);
  const { column } = positionOf(span.source, span.start);
  // Tabs stay tabs in the padding, so that the caret stands under its text whatever the terminal's tab width.
  const pad = line.slice(0, column - 1).replace(/[^\t]/g, ' ');
  const width = Math.max(1, Math.min(span.end - span.start, line.length - column + 1));
  return [line, pad + mark.repeat(width)];
}
