/** From argv to an Invocation: util.parseArgs with the options of the command table. */

import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type CommandSpec, UsageError } from './command.ts';

export interface ParsedArguments {
  readonly operands: readonly string[];
  readonly options: Readonly<Record<string, string | true>>;
}

/** Parses what follows the command's name. Throws UsageError. */
export function parseArguments(spec: CommandSpec, argv: readonly string[]): ParsedArguments {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [long, option] of Object.entries(spec.options)) {
    options[long] = {
      type: option.value === undefined ? 'boolean' : 'string',
      ...(option.short === undefined ? {} : { short: option.short }),
    };
  }
  const { values, positionals } = parse(options, argv);
  const given: Record<string, string | true> = {};
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string' || value === true) given[name] = value;
  }
  if (given['help'] !== true) {
    if (spec.operands === '' && positionals.length > 0) throw new UsageError(`unexpected operand "${positionals[0]}"`);
    if (positionals.length < spec.minOperands) throw new UsageError(`${spec.operands.replace('...', '')} is missing`);
  }
  return { operands: positionals, options: given };
}

function parse(options: NonNullable<ParseArgsConfig['options']>, argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    // parseArgs explains at length how to pass such a word as an operand; its first sentence is what went wrong.
    if (error instanceof TypeError) throw new UsageError(firstSentence(error.message));
    throw error;
  }
}

function firstSentence(message: string): string {
  const first = message.split(/\.\s|\n/)[0] ?? message;
  return first.charAt(0).toLowerCase() + first.slice(1).replace(/\.$/, '');
}

/** A whole number of seconds or things, 0 or more. Throws UsageError. */
export function wholeNumber(option: string, text: string | true | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === true || !/^\d{1,9}$/.test(text)) throw new UsageError(`--${option} wants a whole number, not "${text}"`);
  return Number(text);
}
