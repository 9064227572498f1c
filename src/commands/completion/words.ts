/** What a shell can offer behind `bpfilter`: the command table as lists of words. */

import { TABLES } from '../../packet/netfilter.ts';
import type { CommandOption, CommandSpec } from '../command.ts';

export type Commands = Readonly<Record<string, CommandSpec>>;

/** What a word can be completed to: one of a few, or what the machine has. */
export type Candidates =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'namespaces' }
  | { readonly kind: 'devices' }
  | { readonly kind: 'files' }
  | { readonly kind: 'nothing' };

/** Placeholders of values (CommandOption.value) to what they stand for; others complete to nothing. */
const VALUES: Readonly<Record<string, Candidates>> = {
  TABLE: { kind: 'words', words: TABLES },
  NAME: { kind: 'namespaces' },
  'DEVICE[,DEVICE...]|auto': { kind: 'devices' },
  FILE: { kind: 'files' },
};

export interface OptionWords {
  /** `--xdp`, and `-w` if there is one. */
  readonly words: readonly string[];
  readonly help: string;
  /** What follows; undefined: the option takes no value. */
  readonly value?: Candidates;
}

export interface CommandWords {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionWords[];
  readonly operands: Candidates;
}

/** The words of every command. */
export function commandWords(commands: Commands): readonly CommandWords[] {
  return Object.entries(commands).map(([name, spec]) => ({
    name,
    summary: spec.summary,
    options: Object.entries(spec.options).map(([long, option]) => optionWords(long, option)),
    operands: operandsOf(spec),
  }));
}

function optionWords(long: string, option: CommandOption): OptionWords {
  return {
    words: [`--${long}`, ...(option.short === undefined ? [] : [`-${option.short}`])],
    help: option.help,
    ...(option.value === undefined ? {} : { value: VALUES[option.value] ?? { kind: 'nothing' } }),
  };
}

function operandsOf({ operands }: CommandSpec): Candidates {
  if (/^[a-z|]+$/.test(operands)) return { kind: 'words', words: operands.split('|') };
  return operands.includes('FILE') ? { kind: 'files' } : { kind: 'nothing' };
}
