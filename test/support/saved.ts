/** Reading what `iptables-save -c` prints, and saying how two of them differ. */

export interface SavedTables {
  /** Table name to its lines between `*table` and `COMMIT`: chain declarations and rules, each with its counters. */
  readonly tables: ReadonlyMap<string, readonly string[]>;
}

/** Splits save text into its tables; comment lines are dropped. */
export function parseSaved(text: string): SavedTables {
  const tables = new Map<string, string[]>();
  let lines: string[] | undefined;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('*')) {
      lines = [];
      tables.set(line.slice(1), lines);
    } else if (line === 'COMMIT') lines = undefined;
    else lines?.push(line);
  }
  return { tables };
}

/** The same lines with every counter at zero. */
export function withoutCounters(text: string): string {
  return text.replace(/\[\d+:\d+\]/g, '[0:0]');
}

/** True for a table that holds nothing but empty built-in chains with policy ACCEPT: the same as no table. */
function isBlank(lines: readonly string[]): boolean {
  return lines.every((line) => /^:\S+ ACCEPT \[/.test(line));
}

/**
 * What iptables-save leaves out although it decides: each of these makes its rule match nothing. bpfilter prints them, because
 * without them the text would mean something else.
 */
const UNPRINTED = / ! -[io] \+(?= |$)| ! --[sd]port 0:65535(?= |$)|(?<! !) --tcp-flags NONE \S+/g;

function comparable(line: string | undefined): string | undefined {
  // iptables 1.8.9 prints two blanks in front of the name.
  return line?.replace(UNPRINTED, '').replace(/(--nfacct-name) {2}/, '$1 ');
}

/**
 * Lines that differ, in the form `table: left | right`. A table that one side lacks counts as equal when the other side's
 * holds nothing: iptables makes tables come into being by looking at them.
 */
export function savedDifferences(left: string, right: string): readonly string[] {
  const a = parseSaved(left).tables;
  const b = parseSaved(right).tables;
  const differences: string[] = [];
  for (const table of new Set([...a.keys(), ...b.keys()])) {
    const ours = a.get(table) ?? [];
    const theirs = b.get(table) ?? [];
    if ((!a.has(table) || !b.has(table)) && isBlank([...ours, ...theirs])) continue;
    for (let index = 0; index < Math.max(ours.length, theirs.length); index++) {
      const one = ours[index];
      const other = theirs[index];
      if (comparable(one) !== comparable(other))
        differences.push(`${table}: ${one ?? '(nothing)'} | ${other ?? '(nothing)'}`);
    }
  }
  return differences;
}
