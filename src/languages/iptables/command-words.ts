/** The command of a line (`-A CHAIN`, `-I CHAIN 3`, `-P CHAIN DROP` ...): reading its words, and what may stand beside it. */

import type { Rule } from '../../rules/model.ts';
import { chainNameProblem } from './chain-name.ts';
import type { Command, Numbered } from './command.ts';
import type { LineContext, RuleDraft } from './rule-draft.ts';
import type { Scanner } from './scanner.ts';
import type { Word } from './words.ts';

/** A command as it was given. */
export interface CommandWords {
  readonly letter: CommandLetter;
  /** The option word. */
  readonly word: Word;
  readonly chain?: Word;
  readonly at?: Numbered;
  /** The policy of -P, the new name of -E. */
  readonly extra?: Word;
}

const COMMANDS = {
  A: '-A',
  C: '-C',
  D: '-D',
  E: '-E',
  F: '-F',
  I: '-I',
  N: '-N',
  P: '-P',
  R: '-R',
  X: '-X',
  Z: '-Z',
} as const;
export type CommandLetter = keyof typeof COMMANDS;

/** INT_MAX, as parse_rulenumber has it. */
const RULE_NUMBER_MAX = 0x7fff_ffff;

export function isCommand(letter: string): letter is CommandLetter {
  return Object.hasOwn(COMMANDS, letter);
}

/** Reads what follows a command letter. Undefined: reported. */
export function readCommandWords(
  letter: CommandLetter,
  word: Word,
  value: Word | undefined,
  scanner: Scanner,
  ctx: LineContext,
): CommandWords | undefined {
  const { report } = ctx;
  // -F, -X and -Z take their chain as the next word; the option itself has no value.
  const chain = value ?? (letter === 'F' || letter === 'X' || letter === 'Z' ? scanner.takeArgument() : undefined);
  if (chain === undefined) return { letter, word };
  if (letter === 'N' || letter === 'E') {
    const name = letter === 'N' ? chain : scanner.takeArgument();
    if (name === undefined) {
      report.add('missing-value', word, { option: '-E OLD NEW' });
      return undefined;
    }
    const why = chainNameProblem(name.text, ctx.family, true);
    if (why !== undefined) {
      report.add('bad-chain-name', name, { chain: name.text, why });
      return undefined;
    }
    return letter === 'N' ? { letter, word, chain } : { letter, word, chain, extra: name };
  }
  if (letter === 'P') {
    const policy = scanner.takeArgument();
    if (policy !== undefined) return { letter, word, chain, extra: policy };
    report.add('missing-policy', chain, { chain: chain.text });
    return undefined;
  }
  if (letter === 'A' || letter === 'C' || letter === 'F' || letter === 'X') return { letter, word, chain };
  const number = scanner.takeArgument();
  if (number === undefined) {
    if (letter !== 'R') return { letter, word, chain };
    report.add('missing-value', word, { option: '-R CHAIN NUMBER' });
    return undefined;
  }
  const parsed = /^\d{1,10}$/.test(number.text) ? Number(number.text) : 0;
  if (parsed >= 1 && parsed <= RULE_NUMBER_MAX) return { letter, word, chain, at: { number: parsed, word: number } };
  report.add('bad-rule-number', number, { number: number.text });
  return undefined;
}

/** Base options by letter that describe a rule. */
const RULE_OPTIONS = ['s', 'd', 'p', 'i', 'o', 'f', 'j', 'c'];
/** Options that only listings know. */
const LISTING_OPTIONS = ['n', 'x', '0'];

/** Reports base options that make no sense beside the command. */
export function checkOptions(command: CommandWords, draft: RuleDraft, ctx: LineContext): void {
  const wantsRule = 'AICR'.includes(command.letter) || (command.letter === 'D' && command.at === undefined);
  for (const { letter, word } of draft.seen) {
    const refused = LISTING_OPTIONS.includes(letter) || (!wantsRule && RULE_OPTIONS.includes(letter));
    if (!refused) continue;
    ctx.report.add('option-not-with-command', word, { option: word.text, command: COMMANDS[command.letter] });
  }
}

/** The command that the line is, given the rules it describes. */
export function commandOf(words: CommandWords, rules: readonly Rule[]): Command | undefined {
  const { chain, at, extra } = words;
  switch (words.letter) {
    case 'F':
      return { kind: 'flush', chain };
    case 'X':
      return { kind: 'delete-chain', chain };
    case 'Z':
      return { kind: 'zero', chain, at };
  }
  if (chain === undefined) return undefined;
  switch (words.letter) {
    case 'A':
      return { kind: 'append', chain, rules };
    case 'C':
      return { kind: 'check', chain, rules };
    case 'D':
      return at === undefined ? { kind: 'delete', chain, rules } : { kind: 'delete-number', chain, at };
    case 'I':
      return { kind: 'insert', chain, at: at ?? { number: 1, word: chain }, rules };
    case 'R':
      return at === undefined ? undefined : { kind: 'replace', chain, at, rules };
    case 'N':
      return { kind: 'new-chain', chain };
    case 'P':
      return extra === undefined ? undefined : { kind: 'policy', chain, policy: extra };
    case 'E':
      return extra === undefined ? undefined : { kind: 'rename-chain', chain, name: extra };
  }
}
