/**
 * Lines of rules that are columns. Those that were written as iptables-save writes them are taken from their source; the others are
 * the printed example of their kind with other values in it.
 */
import type { Family, TableName } from '../../packet/netfilter.ts';
import { OTHER, type RuleColumns, type RuleKind, SLOTS, type Slot } from '../../rules/rule-columns.ts';
import { formatCounters } from './counters.ts';
import { ruleWords } from './print-rule.ts';

export interface PrintedAs {
  readonly family: Family;
  readonly table: TableName;
  readonly counters: boolean;
}

/** Adds the lines of a chain's rules. */
export function printColumns(columns: RuleColumns, chain: string, as: PrintedAs, lines: string[]): void {
  const { count, kind, kinds, asWritten, start, end, source, packets, bytes } = columns;
  const { text } = source;
  const templates = kinds.map((own) => templateOf(own, `-A ${chain}${ruleWords(own.example, as.family, as.table)}`));
  for (let at = 0; at < count; at++) {
    const written = asWritten[at]!;
    const template = written === 0 ? templates[kind[at]!] : undefined;
    if (kind[at] === OTHER || (written === 0 && template === undefined)) {
      const rule = columns.rule(at);
      const counters = as.counters ? `${formatCounters(rule.counters)} ` : '';
      lines.push(`${counters}-A ${chain}${ruleWords(rule, as.family, as.table)}`);
      continue;
    }
    const words =
      template === undefined ? text.slice(start[at]! + written - 1, end[at]!) : filledIn(template, columns, at);
    lines.push(as.counters ? `[${packets?.[at] ?? 0}:${bytes?.[at] ?? 0}] ${words}` : words);
  }
}

/** A printed rule without its values: a piece, and before every other piece the value of a slot. */
interface Template {
  readonly pieces: readonly string[];
  readonly slots: readonly Slot[];
}

const OPTIONS = ['-s', '-d', '--sport', '--dport'] as const satisfies Record<number, string>;
const PORTS = SLOTS.indexOf('sport');

/** Undefined where a value of the example does not stand in its line once, behind its option. */
function templateOf({ slots }: RuleKind, line: string): Template | undefined {
  const found: { slot: Slot; from: number; to: number }[] = [];
  for (const { slot, lo, hi } of slots) {
    const before = ` ${OPTIONS[slot]} `;
    const at = line.indexOf(before);
    const from = at + before.length;
    const to = from + formatValue(slot, lo, hi).length;
    if (at === -1 || line.indexOf(before, from) !== -1 || line.slice(from, to) !== formatValue(slot, lo, hi))
      return undefined;
    found.push({ slot, from, to });
  }
  found.sort((a, b) => a.from - b.from);
  const ends = [0, ...found.map(({ to }) => to)];
  return {
    pieces: ends.map((from, i) => line.slice(from, found[i]?.from ?? line.length)),
    slots: found.map(({ slot }) => slot),
  };
}

function filledIn({ pieces, slots }: Template, { values }: RuleColumns, at: number): string {
  let line = pieces[0]!;
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i]!;
    const { lo, hi } = values[slot]!;
    line += formatValue(slot, lo[at]!, hi[at]!) + pieces[i + 1]!;
  }
  return line;
}

/** As a rule's own printing has it: addresses with a prefix, ports alone or as a range. */
function formatValue(slot: Slot, lo: number, hi: number): string {
  if (slot >= PORTS) return lo === hi ? `${lo}` : `${lo}:${hi}`;
  return `${lo >>> 24}.${(lo >>> 16) & 255}.${(lo >>> 8) & 255}.${lo & 255}/${Math.clz32(lo ^ hi)}`;
}
