/** The options of a match or target as iptables-save prints them: what listings are made from. */

import type { Family } from '../../packet/netfilter.ts';
import type { RuleContext } from '../contract.ts';

/** One option: `! --sport 1:2` is { name: 'sport', invert: true, values: ['1:2'] }. */
export interface SavedOption {
  readonly name: string;
  readonly invert: boolean;
  readonly values: readonly string[];
}

/** A rule that is being listed. */
export interface ListingContext extends RuleContext {
  /** -n: numbers instead of names of hosts, ports and protocols. */
  readonly numeric: boolean;
  readonly names?: NameLookup | undefined;
}

/** Names that listings without -n show; what it does not know stays a number. */
export interface NameLookup {
  /** Of a host or network, by its address in text form. */
  address(address: string, family: Family): string | undefined;
  user?(id: number): string | undefined;
  group?(id: number): string | undefined;
}

/**
 * What a listing prints for a match or target, leading blank included (the print function of its libxtables module).
 * `saved` are its options in the order in which they are saved.
 */
export type Listing = (saved: readonly SavedOption[], ctx: ListingContext) => string;

/** Reads the words that an extension prints. */
export function savedOptions(words: readonly string[]): readonly SavedOption[] {
  const options: { name: string; invert: boolean; values: string[] }[] = [];
  let invert = false;
  for (const word of words) {
    if (word === '!') {
      invert = true;
    } else if (word.startsWith('--')) {
      options.push({ name: word.slice(2), invert, values: [] });
      invert = false;
    } else {
      options.at(-1)?.values.push(word);
    }
  }
  return options;
}

/** The option of that name. */
export function find(saved: readonly SavedOption[], name: string): SavedOption | undefined {
  return saved.find((option) => option.name === name);
}

/** The first value of the option of that name. */
export function textOf(saved: readonly SavedOption[], name: string): string | undefined {
  return find(saved, name)?.values[0];
}

/** Each option as ` [! ]name value...`. */
export function plainWords(saved: readonly SavedOption[]): string {
  return saved.map(({ name, invert, values }) => ` ${[...(invert ? ['!'] : []), name, ...values].join(' ')}`).join('');
}

/** What a quoted word of the save text stands for. */
export function unquoted(text: string): string {
  return text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}
