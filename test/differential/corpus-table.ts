/** The table test/differential/CORPUS.md: what becomes of every rule set of the corpus. */
import { type CorpusFile, countRules } from './corpus.ts';
import { outcomeOf, reasonsOf } from './outcome.ts';

const HEAD = `# The corpus

What becomes of every rule set in \`../shared/corpus\`. Files that apply are compared with the kernel's iptables packet by packet
by \`corpus.test.ts\`. Written by \`corpus-table.test.ts\` with \`UPDATE_CORPUS_TABLE=1\`; the test fails when it is out of date.

`;

const TITLES = ['file', 'family', 'rules', 'the kernel', 'bpfilter'] as const;

function rowOf(file: CorpusFile): readonly string[] {
  const outcome = outcomeOf(file.name, file.text, file.family);
  const verdict = outcome.kind === 'applies' ? 'applies' : `refuses: ${reasonsOf(outcome.diagnostics).join('; ')}`;
  const kernel = file.accepted ? 'accepts' : `refuses: ${file.cause ?? 'unknown cause'}`;
  return [file.name, file.family, String(countRules(file.text)), kernel, verdict];
}

/** The whole page. */
export function corpusTable(files: readonly CorpusFile[]): string {
  const rows = files.map(rowOf);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  const applied = rows.filter((row) => row[4] === 'applies').length;
  const summary = `${applied} of ${files.length} rule sets apply, ${files.filter((file) => !file.accepted).length} are refused by the kernel itself.\n\n`;
  return HEAD + summary + line(TITLES) + line(TITLES.map(() => '---')) + rows.map(line).join('');
}
