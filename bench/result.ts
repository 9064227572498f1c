/** What a benchmark reports, and how all reports are printed together. */

export interface BenchRow {
  /** Which benchmark, e.g. `netfilter hook`. */
  readonly group: string;
  readonly name: string;
  readonly unit: 'ns' | 'ms' | 'KiB' | '';
  readonly min: number;
  readonly median: number;
  /** Over the baseline of its group, if it has one: what the bar is about. */
  readonly overMin?: number;
  readonly overMedian?: number;
  /** The bar, for `overMedian` where there is a baseline, else for `median`. */
  readonly bar?: number;
}

/** Whether the row keeps its bar; undefined without a bar. */
export function keepsBar(row: BenchRow): boolean | undefined {
  return row.bar === undefined ? undefined : (row.overMedian ?? row.median) <= row.bar;
}

/** One benchmark: returns its rows, or says why it cannot run here. */
export interface Bench {
  readonly name: string;
  run(): readonly BenchRow[] | Promise<readonly BenchRow[]>;
}

function cells(row: BenchRow): readonly string[] {
  const number = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(1));
  const kept = keepsBar(row);
  return [
    row.group,
    row.name,
    row.unit,
    number(row.min),
    number(row.median),
    number(row.overMin),
    number(row.overMedian),
    row.bar === undefined ? '' : `${row.bar}`,
    kept === undefined ? '' : kept ? 'kept' : 'MISSED',
  ];
}

const TITLES = ['group', 'case', 'unit', 'min', 'median', 'over min', 'over median', 'bar', ''] as const;
const TEXT_COLUMNS = 3;

/** All rows as one text table. */
export function formatRows(rows: readonly BenchRow[]): string {
  const lines = [TITLES, ...rows.map(cells)];
  const widths = TITLES.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const pad = (cell: string, column: number): string =>
    column < TEXT_COLUMNS ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return lines.map((line) => `${line.map(pad).join('  ').trimEnd()}\n`).join('');
}
