/** How rates look: text for a terminal of a given size, or for a pipe, and JSON. Pure. */

import { textTable } from '../text-table.ts';
import { type HookRate, type Rates, type RuleRate, type Sort, sorted } from './rates.ts';

export interface ViewOptions {
  readonly sort: Sort;
  /** Of the terminal; undefined: everything that has traffic, however long. */
  readonly size?: { readonly columns: number; readonly rows: number };
}

const UNITS = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/** `999`, `1.2k`, `34M`: at most five characters. */
export function short(value: number): string {
  let [rest, unit] = [value, 0];
  while (rest >= 999.5 && unit < UNITS.length - 1) [rest, unit] = [rest / 1000, unit + 1];
  const digits = rest !== 0 && rest < 9.95 && (unit > 0 || !Number.isInteger(rest)) ? 1 : 0;
  return `${rest.toFixed(digits)}${UNITS[unit]}`;
}

/** Lines, each with its end. For a terminal exactly as many as it has, none longer than it is wide. */
export function ratesText(rates: Rates, { sort, size }: ViewOptions): string {
  const head = hooksText(rates.hooks);
  const rules = sorted(rates.rules, sort);
  if (size === undefined) return `${head}\n${rulesText(rules.filter(active))}`;
  const lines = `${head}\n${rulesText(rules.slice(0, size.rows))}`.split('\n').slice(0, -1);
  const shown = lines.slice(0, Math.max(1, size.rows - 1)).map((line) => cut(line, size.columns));
  const help = cut(`every ${rates.seconds.toFixed(1)} s, by ${sort}   p b t o: sort   q: quit`, size.columns);
  while (shown.length < size.rows - 1) shown.push('');
  return [...shown, help].map((line) => `${line}\n`).join('');
}

function active({ packetsPerSecond, bytesPerSecond }: RuleRate): boolean {
  return packetsPerSecond > 0 || bytesPerSecond > 0;
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}>`;
}

function hooksText(hooks: readonly HookRate[]): string {
  if (hooks.length === 0) return 'nothing is in force here\n';
  return textTable(
    [
      { title: 'hook' },
      { title: 'family' },
      { title: 'table' },
      { title: 'accepted/s', align: 'right' },
      { title: 'dropped/s', align: 'right' },
    ],
    hooks.map(({ hook, family, table, accepted, dropped }) => [hook, family, table, short(accepted), short(dropped)]),
  );
}

function rulesText(rules: readonly RuleRate[]): string {
  return textTable(
    [
      { title: 'packets/s', align: 'right' },
      { title: 'bytes/s', align: 'right' },
      { title: 'packets', align: 'right' },
      { title: 'hook' },
      { title: 'chain' },
      { title: 'num', align: 'right' },
      { title: 'rule' },
    ],
    rules.map(({ rule, packetsPerSecond, bytesPerSecond }) => [
      short(packetsPerSecond),
      short(bytesPerSecond),
      short(Number(rule.packets)),
      `${rule.hook} ${rule.family}`,
      `${rule.table} ${rule.chain}`,
      rule.number === 0 ? '' : String(rule.number),
      rule.words,
    ]),
  );
}

/** One JSON object in one line. */
export function ratesJson(rates: Rates, sort: Sort): string {
  const rules = sorted(rates.rules, sort).map(({ rule, packetsPerSecond, bytesPerSecond }) => ({
    ...rule,
    packets: String(rule.packets),
    bytes: String(rule.bytes),
    packetsPerSecond,
    bytesPerSecond,
  }));
  return `${JSON.stringify({ version: 1, seconds: rates.seconds, hooks: rates.hooks, rules })}\n`;
}
