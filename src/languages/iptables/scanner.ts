/**
 * Reads the options of a line from left to right as getopt_long does: `--name value`, `--name=value`, any beginning of
 * a name that fits only one option, `-p value`, `-pvalue`, `-fp value`.
 */

import type { OptionSpec } from '../../extensions/contract.ts';
import { type BaseOption, LONG_OPTIONS, shortOption } from './base-options.ts';
import type { ExtensionUse } from './extension-use.ts';
import { optionsOf } from './extension-use.ts';
import { type Word, wordFrom } from './words.ts';

/** One step through a line. `word` is the word that holds the option. */
export type Step =
  | { readonly kind: 'base'; readonly option: BaseOption; readonly word: Word; readonly value?: Word }
  | {
      readonly kind: 'extension';
      readonly use: ExtensionUse;
      readonly spec: OptionSpec;
      readonly word: Word;
      readonly value?: Word;
    }
  /** A word that is neither an option nor the value of one; `!` is one of them. */
  | { readonly kind: 'argument'; readonly word: Word }
  | { readonly kind: 'unknown'; readonly word: Word; readonly name: string }
  | { readonly kind: 'ambiguous'; readonly word: Word; readonly name: string; readonly candidates: readonly string[] }
  | { readonly kind: 'missing-value'; readonly word: Word; readonly name: string }
  | { readonly kind: 'unexpected-value'; readonly word: Word; readonly name: string }
  /** `--`: nothing after it is an option. */
  | { readonly kind: 'rest'; readonly words: readonly Word[]; readonly word: Word };

type Found =
  | { readonly kind: 'base'; readonly option: BaseOption }
  | { readonly kind: 'extension'; readonly use: ExtensionUse; readonly spec: OptionSpec };

export interface Scanner {
  /** The next step; undefined at the end of the line. Long names need not be written out unless `exact`. */
  next(exact: boolean): Step | undefined;
  /** Reads the word of the last step again (after its match was loaded). */
  again(): void;
  /** Takes the next word if it does not look like an option or `!` (xs_has_arg). */
  takeArgument(): Word | undefined;
}

/** A scanner over `words`; `uses` are the matches and the target loaded so far, oldest first, and may grow meanwhile. */
export function createScanner(words: readonly Word[], uses: readonly ExtensionUse[]): Scanner {
  let at = 0;
  /** Offset of the next letter in a bundle such as `-fp`. */
  let letter = 0;
  let last = { at: 0, letter: 0 };

  const take = (): Word | undefined => words[at++];

  const longStep = (word: Word, exact: boolean): Step => {
    const equals = word.text.indexOf('=');
    const name = equals === -1 ? word.text.slice(2) : word.text.slice(2, equals);
    const found = findExact(name, uses) ?? (exact ? undefined : findBeginning(name, uses));
    if (found === undefined) return { kind: 'unknown', word, name: word.text };
    if (Array.isArray(found)) return { kind: 'ambiguous', word, name, candidates: found };
    const attached = equals === -1 ? undefined : wordFrom(word, equals + 1);
    const argument = argumentOf(found);
    if (argument === 'none' && attached !== undefined) return { kind: 'unexpected-value', word, name };
    const value = attached ?? (argument === 'required' ? take() : undefined);
    if (argument === 'required' && value === undefined) return { kind: 'missing-value', word, name: `--${name}` };
    return withValue(found, word, value);
  };

  const shortStep = (word: Word): Step => {
    const name = word.text[letter] ?? '';
    const option = shortOption(name);
    letter++;
    const restOfWord = letter < word.text.length;
    if (option === undefined || option.argument === 'none' || !restOfWord) {
      if (!restOfWord) {
        at++;
        letter = 0;
      }
      if (option === undefined) return { kind: 'unknown', word, name: `-${name}` };
      if (option.argument !== 'required') return { kind: 'base', option, word };
      const value = take();
      return value === undefined
        ? { kind: 'missing-value', word, name: `-${name}` }
        : { kind: 'base', option, word, value };
    }
    const value = wordFrom(word, letter);
    at++;
    letter = 0;
    return { kind: 'base', option, word, value };
  };

  return {
    next(exact) {
      last = { at, letter };
      const word = words[at];
      if (word === undefined) return undefined;
      if (letter > 0) return shortStep(word);
      const { text } = word;
      if (!text.startsWith('-') || text === '-') {
        at++;
        return { kind: 'argument', word };
      }
      if (text === '--') {
        at = words.length;
        return { kind: 'rest', word, words: words.slice(last.at + 1) };
      }
      if (text.startsWith('--')) {
        at++;
        return longStep(word, exact);
      }
      letter = 1;
      return shortStep(word);
    },
    again() {
      ({ at, letter } = last);
    },
    takeArgument() {
      const word = words[at];
      if (letter > 0 || word === undefined || word.text.startsWith('-') || word.text.startsWith('!')) return undefined;
      at++;
      return word;
    },
  };
}

function withValue(found: Found, word: Word, value: Word | undefined): Step {
  if (found.kind === 'base') {
    const { kind, option } = found;
    return value === undefined ? { kind, option, word } : { kind, option, word, value };
  }
  const { kind, use, spec } = found;
  return value === undefined ? { kind, use, spec, word } : { kind, use, spec, word, value };
}

function argumentOf(found: Found): 'none' | 'required' | 'optional' {
  if (found.kind === 'base') return found.option.argument;
  return found.spec.value.words === 0 ? 'none' : 'required';
}

/** A name written out: the base options first, then the newest match or target (xtables_merge_options). */
function findExact(name: string, uses: readonly ExtensionUse[]): Found | undefined {
  const option = LONG_OPTIONS.get(name);
  if (option !== undefined) return { kind: 'base', option };
  for (let at = uses.length - 1; at >= 0; at--) {
    const use = uses[at]!;
    const spec = optionsOf(use.extension).get(name);
    if (spec !== undefined) return { kind: 'extension', use, spec };
  }
  return undefined;
}

/**
 * The option that begins so, or the names of all if there are several. Two names of one option are one, but the options of
 * a match that was loaded twice are not.
 */
function findBeginning(name: string, uses: readonly ExtensionUse[]): Found | string[] | undefined {
  const found = new Map<BaseOption | string, { readonly name: string; readonly found: Found }>();
  for (const [known, option] of LONG_OPTIONS) {
    if (known.startsWith(name) && !found.has(option))
      found.set(option, { name: known, found: { kind: 'base', option } });
  }
  for (const [at, use] of uses.entries()) {
    for (const [known, spec] of optionsOf(use.extension)) {
      const key = `${at} ${spec.name}`;
      if (known.startsWith(name) && !found.has(key))
        found.set(key, { name: known, found: { kind: 'extension', use, spec } });
    }
  }
  const candidates = [...found.values()];
  return candidates.length > 1 ? candidates.map((item) => `--${item.name}`) : candidates[0]?.found;
}
