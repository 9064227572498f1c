/** Counters of one contender next to another's, rule by rule, as a table. */
import type { Family, TableName } from '../../packet/netfilter.ts';
import type { Counters, Ruleset } from '../../rules/model.ts';
import { ruleWords } from '../rule-words.ts';
import { type Column, textTable } from '../text-table.ts';

/** One rule or policy, and what was counted there. */
export interface TallyLine {
  readonly table: TableName;
  readonly chain: string;
  /** The rule's matches, or `policy`. */
  readonly rule: string;
  /** What happens to a packet that matches. */
  readonly verdict: string;
  readonly counters: Counters;
}

/** Every rule and policy of a rule set, in order. */
export function tallyOf(ruleset: Ruleset): readonly TallyLine[] {
  return ruleset.tables.flatMap((table) =>
    table.chains.flatMap((chain) => {
      const at = { table: table.name, chain: chain.name };
      const rules = chain.rules.map((rule): TallyLine => {
        const { match, verdict } = splitWords(ruleWords(ruleset.family, table.name, chain.name, rule));
        return { ...at, rule: match, verdict, counters: rule.counters };
      });
      const policy: readonly TallyLine[] =
        chain.policy === undefined ? [] : [{ ...at, rule: 'policy', verdict: chain.policy, counters: chain.counters }];
      return [...rules, ...policy];
    }),
  );
}

/** `-p tcp -j DROP` is `-p tcp` and DROP; a rule that matches everything shows as `(any)`. */
function splitWords(words: string): { match: string; verdict: string } {
  const [, match = '', kind = '', verdict = ''] = /^(.*?)(?:(?:^| )-([jg]) (.*))?$/.exec(words) ?? [];
  const shown = kind === '' ? 'count' : kind === 'g' ? `goto ${verdict}` : verdict;
  return { match: match === '' ? '(any)' : match, verdict: shown };
}

export interface Compared {
  readonly text: string;
  readonly lines: number;
  readonly equal: number;
}

const WIDEST_RULE = 60;

function shorten(text: string): string {
  return text.length <= WIDEST_RULE ? text : `${text.slice(0, WIDEST_RULE - 3)}...`;
}

/** The table for one family. Without `theirs` only our own counters are shown, and everything counts as equal. */
export function compareTallies(
  ours: { readonly label: string; readonly lines: readonly TallyLine[] },
  theirs: { readonly label: string; readonly lines: readonly TallyLine[] } | undefined,
): Compared {
  const columns: Column[] = [{ title: 'CHAIN' }, { title: 'RULE' }, { title: 'VERDICT' }];
  for (const side of theirs === undefined ? [ours] : [ours, theirs]) {
    columns.push({ title: `${side.label} PACKETS`.toUpperCase(), align: 'right' }, { title: 'BYTES', align: 'right' });
  }
  if (theirs !== undefined) columns.push({ title: 'EQUAL' });
  let equal = 0;
  const rows = ours.lines.map((line, index) => {
    const cells = [line.chain, shorten(line.rule), shorten(line.verdict), ...numbers(line.counters)];
    if (theirs === undefined) {
      equal++;
      return cells;
    }
    const other = theirs.lines[index];
    const same =
      other !== undefined &&
      other.counters.packets === line.counters.packets &&
      other.counters.bytes === line.counters.bytes;
    if (same) equal++;
    return [...cells, ...(other === undefined ? ['', ''] : numbers(other.counters)), same ? 'yes' : 'NO'];
  });
  return { text: textTable(columns, rows), lines: rows.length, equal };
}

function numbers({ packets, bytes }: Counters): [string, string] {
  return [String(packets), String(bytes)];
}

/** Label of the line that names a family's rule set. */
export function heading(family: Family, name: string): string {
  return `${family === 'ipv4' ? 'IPv4' : 'IPv6'}, ${name}`;
}
