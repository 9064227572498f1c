/** The table test/differential/CORPUS.md: what becomes of every rule set of the corpus. */
import { type CorpusFile, countRules } from './corpus.ts';
import { outcomeOf, reasonsOf } from './outcome.ts';

const HEAD = `# The corpus

What becomes of every rule set in \`../shared/corpus\`. Files that apply are compared with the kernel's iptables packet by packet
by \`corpus.test.ts\`. Written by \`corpus-table.test.ts\` with \`UPDATE_CORPUS_TABLE=1\`; the test fails when it is out of date.

`;

const TITLES = [
  'file',
  'family',
  'rules',
  'the kernel',
  'bpfilter',
  'bpf',
  'bpf+bridge',
  'kernel',
  'why kernel',
] as const;

function rowOf(file: CorpusFile): readonly string[] {
  const outcome = outcomeOf(file.name, file.text, file.family);
  const kernel = file.accepted ? 'accepts' : `refuses: ${file.cause ?? 'unknown cause'}`;
  const row = [file.name, file.family, String(countRules(file.text)), kernel];
  if (outcome.kind === 'refused')
    return [...row, `refuses: ${reasonsOf(outcome.diagnostics).join('; ')}`, '', '', '', ''];
  const { share, reasons } = outcome;
  const counts = [share.bpf, share['bpf+bridge'], share.kernel].map(String);
  return [...row, 'applies', ...counts, reasonsOf(reasons).join('; ').replaceAll('stays-with-kernel ', '')];
}

/** The whole page. */
export function corpusTable(files: readonly CorpusFile[]): string {
  const rows = files.map(rowOf);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  const applied = rows.filter((row) => row[4] === 'applies').length;
  const summary = `${applied} of ${files.length} rule sets apply, ${files.filter((file) => !file.accepted).length} are refused by the kernel itself.\n\n`;
  const sum = (column: number): number => rows.reduce((total, row) => total + Number(row[column]), 0);
  const rules = [5, 6, 7].map(sum) as [number, number, number];
  const all = rules[0] + rules[1] + rules[2];
  const percent = (count: number): string => `${count} (${((count / all) * 100).toFixed(1)} %)`;
  const share = `Of the ${all} rules outside nat, ${percent(rules[0])} run as programs, ${percent(rules[1])} as programs in chains that can reach a bridge, ${percent(rules[2])} stay with the kernel.\n\n`;
  return HEAD + summary + share + line(TITLES) + line(TITLES.map(() => '---')) + rows.map(line).join('');
}
