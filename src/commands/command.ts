/**
 * What a subcommand is: one record in the command table, from which the argument parser, `--help` and the check of the
 * manual are derived, and a function that runs it.
 */

import type { Host } from './host.ts';
import type { Output } from './output.ts';

/** One option of a command. A boolean unless `value` names the value it takes. */
export interface CommandOption {
  readonly short?: string;
  /** Placeholder of the value in help texts; present exactly for options that take one. */
  readonly value?: string;
  readonly help: string;
}

export interface CommandSpec {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What follows the options in the usage line; empty: the command takes no operands. */
  readonly operands: string;
  /** Smallest number of operands. */
  readonly minOperands: number;
  /** Long option name (without dashes) to option. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Paragraphs for `--help`. */
  readonly details: readonly string[];
  /** Loads the command's code; nothing of it is loaded before. */
  readonly load: () => Promise<CommandModule>;
}

/** What the file of a command exports. */
export interface CommandModule {
  /** Runs the command; resolves to its exit status, throws what it cannot deal with. */
  readonly run: (invocation: Invocation) => Promise<number>;
}

/** One call of a command, checked against its spec. */
export interface Invocation {
  readonly command: string;
  readonly operands: readonly string[];
  /** Options that were given: `true` for booleans, the text for others. */
  readonly options: Readonly<Record<string, string | true>>;
  readonly output: Output;
  readonly host: Host;
}

/** Exit statuses of every command. */
export const EXIT = {
  done: 0,
  failure: 1,
  /** Bad usage or bad rules. */
  usage: 2,
  /** The kernel lacks a feature. */
  unsupported: 3,
  /** Not permitted, or another bpfilter is at work. */
  denied: 4,
} as const;

/** The caller used a command wrongly: message and exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
