/** What people write where an option wants a value: each option of each match and target in every wrong way. */

import type { MatchExtension, OptionSpec, TargetExtension } from '../../src/extensions/contract.ts';
import { findMatch, findTarget } from '../../src/extensions/registry.ts';
import type { Family, TableName } from '../../src/packet/netfilter.ts';
import { type OptionLine, optionLines } from './option-lines.ts';

/** An option in a good rule: its words are `words[at]` and those that follow it. */
interface Site {
  readonly line: OptionLine;
  readonly extension: MatchExtension | TargetExtension;
  readonly spec: OptionSpec;
  readonly words: readonly string[];
  readonly at: number;
  /** How many words of value follow. */
  readonly values: number;
}

export interface BadLine {
  readonly family: Family;
  readonly table: TableName;
  /** `match length --length` */
  readonly option: string;
  /** What is wrong, for the report. */
  readonly wrong: string;
  readonly text: string;
}

/** Values that hardly any option takes. */
const VALUES: Readonly<Record<string, string>> = {
  'an empty word': '""',
  'a byte too many': '256',
  'sixteen bits and one': '65536',
  'thirty-two bits and one': '4294967296',
  'sixty-four bits and one': '18446744073709551616',
  'a huge number': '9'.repeat(40),
  'an endless number': '9'.repeat(900),
  'a negative number': '-1',
  'a very negative number': '-99999999999999999999',
  'a signed number': '+5',
  'a word': 'nonsense',
  'a prefix of hexadecimals': '0x',
  'a number with a tail': '12x',
  'a fraction': '1.5',
  'an exponent': '1e3',
  'a space before it': '" 5"',
  'a space behind it': '"5 "',
  'a long word': 'x'.repeat(1000),
  'a comma': ',',
  'a colon': ':',
  'a slash': '/',
  'a dash': '-',
  'a lone sign': '!',
  'a range upside down': '9:5',
  'three ends': '1:2:3',
  'letters of another script': 'é💥',
  'the name of a prototype': '__proto__',
  'a control character': '"\u0001"',
};

/** What is done to a good value. */
const DAMAGE: Readonly<Record<string, (value: string) => string>> = {
  'a tail': (value) => `${value}x`,
  'a comma behind it': (value) => `${value},`,
  'a comma before it': (value) => `,${value}`,
  'a colon behind it': (value) => `${value}:`,
  'a slash behind it': (value) => `${value}/`,
  'a mask too long': (value) => `${value}/4294967296`,
  'a negative mask': (value) => `${value}/-1`,
  'a dash behind it': (value) => `${value}-`,
  'itself once more': (value) => `${value},${value}`,
  'a thousand times itself': (value) => `${`${value},`.repeat(90)}${value}`,
};

const splitLine = (text: string): readonly string[] => text.match(/"[^"]*"|\S+/g) ?? [];

/** Every option in every good rule that gives it. */
export function optionSites(): readonly Site[] {
  return optionLines().flatMap((line) => {
    const words = splitLine(line.text);
    const sites: Site[] = [];
    let extension: MatchExtension | TargetExtension | undefined;
    for (const [at, word] of words.entries()) {
      const name = words[at + 1] ?? '';
      if (word === '-m') extension = findMatch(name, line.family);
      if (word === '-j') extension = findTarget(name, line.family);
      const spec = extension?.options.find((item) => [item.name, ...(item.aliases ?? [])].includes(word.slice(2)));
      if (extension === undefined || !word.startsWith('--') || spec === undefined) continue;
      const next = words.slice(at + 1).findIndex((item) => /^(!|-[-a-z])/.test(item));
      const values = next === -1 ? words.length - at - 1 : next;
      sites.push({ line, extension, spec, words, at, values });
    }
    return sites;
  });
}

/** The name under which an option is reported. */
export function optionName(extension: MatchExtension | TargetExtension, spec: OptionSpec): string {
  return `${extension.kind} ${extension.name} --${spec.name}`;
}

/** A rule with one thing wrong, for each option and each way to be wrong. */
export function badLines(): readonly BadLine[] {
  const done = new Set<string>();
  return optionSites().flatMap((site) => {
    const key = `${site.line.family} ${optionName(site.extension, site.spec)}`;
    if (done.has(key)) return [];
    done.add(key);
    return [...wrongValues(site)].map(([wrong, words]) =>
      Object.freeze({
        family: site.line.family,
        table: site.line.table,
        option: optionName(site.extension, site.spec),
        wrong,
        text: words.join(' '),
      }),
    );
  });
}

function* wrongValues({ words, at, values }: Site): Iterable<readonly [string, readonly string[]]> {
  const option = words[at] ?? '';
  const before = words.slice(0, at);
  const given = words.slice(at + 1, at + 1 + values);
  const after = words.slice(at + 1 + values);
  yield ['one word too many', [...before, option, ...given, 'extra', ...after]];
  yield ['a number too many', [...before, option, ...given, '7', ...after]];
  yield ['given twice', [...before, option, ...given, option, ...given, ...after]];
  yield ['not given', [...before, ...after]];
  yield ['inverted', [...before, '!', option, ...given, ...after]];
  yield ['inverted twice', [...before, '!', '!', option, ...given, ...after]];
  yield ['attached to nothing', [...before, `${option}=`, ...after]];
  if (values === 0) {
    yield ['a flag with a value', [...before, `${option}=1`, ...after]];
    return;
  }
  for (let left = 0; left < values; left++) {
    yield [`${left} of ${values} values`, [...before, option, ...given.slice(0, left), ...after]];
    yield [`${left} of ${values} values at the end`, [...before, ...after, option, ...given.slice(0, left)]];
  }
  for (const [part, good] of given.entries()) {
    const put = (value: string): readonly string[] => [
      ...before,
      option,
      ...given.slice(0, part),
      value,
      ...given.slice(part + 1),
      ...after,
    ];
    for (const [wrong, value] of Object.entries(VALUES)) yield [wrong, put(value)];
    const quoted = good.startsWith('"');
    for (const [wrong, damage] of Object.entries(DAMAGE)) {
      yield [wrong, put(quoted ? `"${damage(good.slice(1, -1))}"` : damage(good))];
    }
    yield ['a negative value attached', [...before, `${option}=-1`, ...given.slice(1), ...after]];
  }
}
