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

/** Offsets at which the lines of a source begin; made once for each source, when its first position is asked for. */
const lineStarts = new WeakMap<SourceText, readonly number[]>();

export function positionOf(source: SourceText, offset: number): Position {
  let starts = lineStarts.get(source);
  if (starts === undefined) {
    starts = findLineStarts(source.text);
    lineStarts.set(source, starts);
  }
  // The last line that begins at or before the offset.
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
}

function findLineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The whole line (without its end) that holds `offset`. */
export function lineAt(source: SourceText, offset: number): string {
  const start = offset === 0 ? 0 : source.text.lastIndexOf('\n', offset - 1) + 1;
  const end = source.text.indexOf('\n', start);
  return source.text.slice(start, end === -1 ? undefined : end);
}
