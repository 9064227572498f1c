/** The rule sets of the shared corpus and what iptables said of them. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../src/packet/netfilter.ts';
import { SHARED } from '../support/suite.ts';

export interface CorpusFile {
  readonly name: string;
  readonly family: Family;
  readonly text: string;
  /** What iptables-legacy-save printed after loading it; undefined: it was refused. */
  readonly saved: string | undefined;
  /** Why it was refused. */
  readonly cause: string | undefined;
  /** The line that was blamed. */
  readonly line: number | undefined;
}

/** All of them, in the order of SOURCES.tsv. */
export function readCorpus(): readonly CorpusFile[] {
  const folder = join(SHARED, 'corpus');
  const rejected = new Map(rows(join(folder, 'REJECTED.tsv')).map((row) => [row['file'], row]));
  return rows(join(folder, 'SOURCES.tsv'))
    .filter((row) => row['kind'] === 'ruleset')
    .map((row) => {
      const name = row['file'] ?? '';
      const saved = join(folder, `${name}.legacy-save`);
      const refusal = rejected.get(name);
      return {
        name,
        family: row['program'] === 'ip6tables-restore' ? 'ipv6' : 'ipv4',
        text: readFileSync(join(folder, name), 'utf8'),
        saved: existsSync(saved) ? readFileSync(saved, 'utf8') : undefined,
        cause: refusal?.['cause'],
        line: refusal === undefined ? undefined : Number(refusal['line']),
      };
    });
}

function rows(file: string): readonly Readonly<Record<string, string>>[] {
  const [head = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const names = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(names.map((name, at) => [name, cells[at] ?? '']));
  });
}
