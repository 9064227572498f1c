/** Where a piece of a rule set came from: enough to point a caret at it. Offsets are UTF-16 indexes into `text`. */
export interface SourceText {
  /** The name to show: a file path as the user wrote it, or `<stdin>`. */
  readonly name: string;
  readonly text: string;
}

/** A half-open range `[start, end)` of one source. */
export interface Span {
  readonly source: SourceText;
  readonly start: number;
  readonly end: number;
}

/** 1-based line and column (columns count UTF-16 units) of an offset. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export function positionOf(source: SourceText, offset: number): Position {
  let line = 1;
  let lineStart = 0;
  for (let at = source.text.indexOf('\n'); at !== -1 && at < offset; at = source.text.indexOf('\n', at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: offset - lineStart + 1 };
}

/** The whole line (without its end) that holds `offset`. */
export function lineAt(source: SourceText, offset: number): string {
  const start = source.text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1;
  const end = source.text.indexOf('\n', start);
  return source.text.slice(start, end === -1 ? undefined : end);
}
