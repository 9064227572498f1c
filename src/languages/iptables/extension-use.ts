/** A match or target while its rule is being read. */

import type { MatchExtension, OptionSpec, TargetExtension } from '../../extensions/contract.ts';
import type { OptionUse } from '../../rules/model.ts';
import type { Word } from './words.ts';

/** One `-m NAME` or `-j NAME` (or a match that its protocol brought in) and the options given for it so far. */
export interface ExtensionUse {
  readonly extension: MatchExtension | TargetExtension;
  /** The word to blame for the whole: its name, or the option that brought it in. */
  readonly word: Word;
  /** In the order in which they were given; few enough to be searched one by one. */
  readonly given: GivenUse[];
  /** An option could not be read: what is missing because of that is no fault of its own. */
  failed: boolean;
}

/** An option of a match or target as it goes into the rule, and the word that holds it. */
export interface GivenUse {
  /** Canonical name. */
  readonly name: string;
  readonly option: OptionUse;
  readonly word: Word;
}

/** The option of that canonical name, if it was given. */
export function givenOption(use: ExtensionUse, name: string): GivenUse | undefined {
  for (const given of use.given) if (given.name === name) return given;
  return undefined;
}

const tables = new WeakMap<MatchExtension | TargetExtension, ReadonlyMap<string, OptionSpec>>();

/** The options of an extension by every name they have. */
export function optionsOf(extension: MatchExtension | TargetExtension): ReadonlyMap<string, OptionSpec> {
  let table = tables.get(extension);
  if (table === undefined) {
    table = new Map(
      extension.options.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])].map((name) => [name, spec] as const)),
    );
    tables.set(extension, table);
  }
  return table;
}
