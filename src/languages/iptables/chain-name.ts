import type { Family } from '../../packet/netfilter.ts';
import { isTargetName } from './extension-names.ts';
import { utf8Length } from './words.ts';

/** XT_EXTENSION_MAXNAMELEN - 1. */
const NAME_MAX = 28;

/** Verdicts cannot name chains: a jump could not tell them apart. */
const VERDICTS: readonly string[] = ['ACCEPT', 'DROP', 'QUEUE', 'RETURN'];

/**
 * Why a user chain cannot have this name, undefined if it can. -N (`byCommand`) is stricter than a line `:NAME -`.
 * Quotes and backslashes are refused beyond what iptables does: a saved rule set with them could not be read back.
 */
export function chainNameProblem(name: string, family: Family, byCommand: boolean): string | undefined {
  if (name === '') return 'it is empty';
  if (utf8Length(name) > NAME_MAX) return `it has more than ${NAME_MAX} bytes`;
  if (/[\s"\\]/.test(name)) return 'it holds blanks, quotes or backslashes';
  if (VERDICTS.includes(name)) return 'that is a verdict';
  if (!byCommand) return undefined;
  if (/^[-!]/.test(name)) return 'it begins like an option';
  return isTargetName(name, family) ? 'that is a target' : undefined;
}
