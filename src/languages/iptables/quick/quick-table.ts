/** The quick reader of one table: what it takes becomes columns of the table's chains. */
import type { SourceText } from '../../../diagnostics/source.ts';
import type { Family, TableName } from '../../../packet/netfilter.ts';
import type { Rule } from '../../../rules/model.ts';
import { ruleWords } from '../print-rule.ts';
import { columnsBuilder } from './columns-builder.ts';
import { isKind } from './learn.ts';
import { createQuickReader, type QuickReader } from './reader.ts';

/** `read` makes the rule of a line, as the reader of everything does. */
export function quickReaderOf(
  source: SourceText,
  family: Family,
  table: TableName,
  read: (start: number, end: number) => Rule,
): QuickReader {
  const { text } = source;
  return createQuickReader(text, family === 'ipv4', {
    kindOf(chain, rule, slots, line) {
      const { packets, bytes } = rule.counters;
      // -c gives counters, too.
      if (packets !== BigInt(line.packets) || bytes !== BigInt(line.bytes)) return -1;
      if (!isKind(rule, slots, family, table)) return -1;
      const columns = chain.beginColumns?.((before) => columnsBuilder(source, before, read));
      if (columns === undefined) return -1;
      const written = text.slice(line.start + line.head, line.end);
      const canonical = line.canonical && written === `-A ${chain.name}${ruleWords(rule, family, table)}`;
      return columns.addKind({ example: rule, slots, canonical });
    },
  });
}
