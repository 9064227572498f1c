/** What one line inside a table asks for. */

import type { Rule } from '../../rules/model.ts';
import type { Word } from './words.ts';

/** The commands that change a table; the letter is the one that iptables gives them. */
export type Command =
  | { readonly kind: 'append' | 'delete' | 'check'; readonly chain: Word; readonly rules: readonly Rule[] }
  | { readonly kind: 'insert'; readonly chain: Word; readonly at: Numbered; readonly rules: readonly Rule[] }
  | { readonly kind: 'replace'; readonly chain: Word; readonly at: Numbered; readonly rules: readonly Rule[] }
  | { readonly kind: 'delete-number'; readonly chain: Word; readonly at: Numbered }
  | { readonly kind: 'new-chain'; readonly chain: Word }
  | { readonly kind: 'policy'; readonly chain: Word; readonly policy: Word }
  | { readonly kind: 'flush' | 'delete-chain'; readonly chain: Word | undefined }
  | { readonly kind: 'zero'; readonly chain: Word | undefined; readonly at: Numbered | undefined }
  | { readonly kind: 'rename-chain'; readonly chain: Word; readonly name: Word };

/** A rule number (from 1) and the word to blame for it. */
export interface Numbered {
  readonly number: number;
  readonly word: Word;
}
