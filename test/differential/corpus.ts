/** The rule sets of the shared test material: which there are, which devices they name, how they are prepared. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../src/packet/netfilter.ts';
import { SHARED } from '../support/suite.ts';

const FOLDER = join(SHARED, 'corpus');

export interface CorpusFile {
  readonly name: string;
  readonly family: Family;
  readonly text: string;
  /** Whether the kernel's own restore accepts it. */
  readonly accepted: boolean;
  /** For refused files: why, in the words of the test material. */
  readonly cause?: string;
  /** What iptables-legacy-save prints after loading it; absent for refused files. */
  readonly legacySave?: string;
}

function rowsOf(file: string): readonly (readonly string[])[] {
  return readFileSync(join(FOLDER, file), 'utf8')
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}

/** Every rule set of the corpus, by name. */
export function corpusFiles(): readonly CorpusFile[] {
  const causes = new Map(
    rowsOf('REJECTED.tsv').map(([file = '', , , line = '', why = '']) => [file, why || line] as const),
  );
  return rowsOf('SOURCES.tsv')
    .filter(([, kind]) => kind === 'ruleset')
    .map(([name = '', , program, verdict]): CorpusFile => {
      const accepted = verdict === 'accepted';
      const cause = causes.get(name);
      return {
        name,
        family: program === 'ip6tables-restore' ? 'ipv6' : 'ipv4',
        text: readFileSync(join(FOLDER, name), 'utf8'),
        accepted,
        ...(cause === undefined ? {} : { cause }),
        ...(accepted ? { legacySave: readFileSync(join(FOLDER, `${name}.legacy-save`), 'utf8') } : {}),
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Number of rules in restore text. */
export function countRules(text: string): number {
  return text.split('\n').filter((line) => /^(\[\d+:\d+\] )?-[AI] /.test(line)).length;
}

/** Longest name of a device in Linux, and how many devices one topology gets. */
const LONGEST = 15;
const MOST = 12;

/**
 * Names for the devices of a topology, so that the rule set's own device rules can match: every name it uses with `-i`, `-o`
 * or `--physdev`-like options, a wildcard standing for one name that it covers, then plain names up to the wanted number.
 */
export function deviceNames(text: string, least = 2): readonly string[] {
  const names = new Set<string>();
  for (const match of text.matchAll(/(?:^|\s)(?:-i|-o|--in-interface|--out-interface)\s+"?([^\s"]+)/g)) {
    const name = (match[1] ?? '').replace(/\+$/, '0').slice(0, LONGEST);
    if (name !== '' && name !== 'lo' && !/[/:\s]/.test(name) && !/^p\d+$/.test(name)) names.add(name);
  }
  for (let index = 0; names.size < least; index++) names.add(`eth${index}`);
  return [...names].slice(0, MOST);
}
