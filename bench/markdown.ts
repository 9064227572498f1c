/**
 * The tables of docs/performance.md, written between its markers:
 *
 *     <!-- bench NAME -->  ...  <!-- end -->      NAME: first word of the benchmarks whose rows belong there
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { BenchRow } from './result.ts';

const SECTION = /(<!-- bench (\S+) -->\n)[\s\S]*?(<!-- end -->)/g;

/** Rewrites the sections of `path` for which there are rows; `remark` goes above each table. */
export function writeTables(path: string, rows: readonly BenchRow[], remark: string): void {
  const text = readFileSync(path, 'utf8');
  const written = text.replace(SECTION, (whole, begin: string, name: string, end: string) => {
    const own = rows.filter(({ group }) => group.split(' ')[0] === name);
    if (own.length === 0) return whole;
    const table = name === 'stack' ? stackTables(own) : name === 'control' ? controlTable(own) : plainTable(own);
    return `${begin}\n${remark}\n\n${table}\n${end}`;
  });
  writeFileSync(path, written);
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return `${row(head)}${row(head.map(() => '---'))}${lines.map(row).join('')}`;
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

function figure(value: number | undefined): string {
  return value === undefined ? '' : value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

/** `min / median`, over the baseline where there is one. */
function pair(row: BenchRow | undefined): string {
  if (row === undefined) return '';
  return `${figure(row.overMin ?? row.min)} / ${figure(row.overMedian ?? row.median)}`;
}

function plainTable(rows: readonly BenchRow[]): string {
  const lines = rows.map((row) => [
    row.group,
    row.name,
    `${pair(row)} ${row.unit}`,
    row.bar === undefined ? '' : `${row.bar}`,
  ]);
  return table(['bench', 'what', 'min / median', 'bar'], lines);
}

/** One table for each shape: rules down, contenders across; nanoseconds over the floor. */
function stackTables(rows: readonly BenchRow[]): string {
  const packets = rows.filter(({ unit }) => unit === 'ns');
  const shapeOf = ({ group }: BenchRow): string => group.split(' ').slice(1, -1).join(' ');
  const sizeOf = ({ group }: BenchRow): string => group.split(' ').at(-1)!;
  return unique(packets.map(shapeOf))
    .map((shape) => {
      const own = packets.filter((row) => shapeOf(row) === shape);
      const names = unique(own.map(({ name }) => name));
      const lines = unique(own.map(sizeOf)).map((size) => [
        Number(size).toLocaleString('en'),
        ...names.map((name) => pair(own.find((row) => sizeOf(row) === size && row.name === name))),
      ]);
      return `**${shape}**\n\n${table(['rules', ...names], lines)}`;
    })
    .join('\n');
}

/** What down, sizes across. */
function controlTable(rows: readonly BenchRow[]): string {
  const sizes = unique(rows.map(({ group }) => group.split(' ').at(-1)!));
  const names = unique(rows.map(({ name }) => name));
  const lines = names.map((name) => {
    const own = (size: string): BenchRow | undefined =>
      rows.find((row) => row.name === name && row.group.split(' ').at(-1) === size);
    return [`${name} (${own(sizes[0]!)?.unit || 'n'})`, ...sizes.map((size) => pair(own(size)))];
  });
  return table(['', ...sizes.map((size) => Number(size).toLocaleString('en'))], lines);
}
