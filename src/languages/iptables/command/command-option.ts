/** The options that say what to do: -A CHAIN, -I CHAIN [NUMBER], -L [CHAIN [NUMBER]] ... */

import { isTargetName } from '../extension-names.ts';
import { utf8Length, type Word } from '../words.ts';
import { BITS, LISTS, letterOf, ZEROS } from './command-bits.ts';
import type { CommandState } from './parse-command.ts';
import { badParameter, type Program } from './stop.ts';

/** INT_MAX, as parse_rulenumber has it. */
const NUMBER_MAX = 0x7fff_ffff;
/** XT_EXTENSION_MAXNAMELEN. */
export const NAME_LIMIT = 29;

/** Reads a command option; false: the letter is none. @throws Stop */
export function readCommand(letter: string, value: Word | undefined, state: CommandState): boolean {
  const text = value?.text;
  const take = (): string | undefined => state.scanner.takeArgument()?.text;
  const { program } = state.ctx;
  switch (letter) {
    case 'A':
      addCommand(BITS.append, 0, state);
      state.chain = text;
      return true;
    case 'C':
      addCommand(BITS.check, 0, state);
      state.chain = text;
      return true;
    case 'D': {
      addCommand(BITS.delete, 0, state);
      state.chain = text;
      const number = take();
      if (number === undefined) return true;
      state.number = ruleNumber(number, program);
      state.bits = BITS.deleteNumber;
      return true;
    }
    case 'R':
    case 'I': {
      addCommand(letter === 'R' ? BITS.replace : BITS.insert, 0, state);
      state.chain = text;
      const number = take();
      if (number === undefined && letter === 'R') throw badParameter(program, '-R requires a rule number');
      state.number = number === undefined ? 1 : ruleNumber(number, program);
      return true;
    }
    case 'L':
    case 'S': {
      addCommand(letter === 'L' ? BITS.list : BITS.listRules, ZEROS, state);
      state.chain = text ?? take() ?? state.chain;
      const number = take();
      if (number !== undefined) state.number = ruleNumber(number, program);
      return true;
    }
    case 'F':
    case 'X':
      addCommand(letter === 'F' ? BITS.flush : BITS.deleteChain, 0, state);
      state.chain = text ?? take() ?? state.chain;
      return true;
    case 'Z': {
      addCommand(BITS.zero, LISTS, state);
      state.chain = text ?? take() ?? state.chain;
      const number = take();
      if (number === undefined) return true;
      state.number = ruleNumber(number, program);
      state.bits = BITS.zeroNumber;
      return true;
    }
    case 'N':
      checkNewName(text ?? '', state);
      addCommand(BITS.newChain, 0, state);
      state.chain = text;
      return true;
    case 'E':
      addCommand(BITS.rename, 0, state);
      state.chain = text;
      state.newName = take();
      if (state.newName === undefined) {
        throw badParameter(program, '-E requires old-chain-name and new-chain-name');
      }
      return true;
    case 'P':
      addCommand(BITS.policy, 0, state);
      state.chain = text;
      state.policy = take();
      if (state.policy === undefined) throw badParameter(program, '-P requires a chain and a policy');
      return true;
    default:
      return false;
  }
}

function addCommand(bit: number, beside: number, state: CommandState): void {
  const { program } = state.ctx;
  if (state.draft.invert !== undefined) throw badParameter(program, "unexpected '!' flag");
  const other = state.bits & ~beside;
  if (other !== 0) throw badParameter(program, `Cannot use -${letterOf(bit)} with -${letterOf(other)}`);
  state.bits |= bit;
}

function ruleNumber(text: string, program: Program): number {
  const found = /^\s*(?:0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(octal(text.trim())) : 0;
  if (found >= 1 && found <= NUMBER_MAX) return found;
  throw badParameter(program, `Invalid rule number \`${text}'`);
}

/** strtoul with base 0. */
function octal(text: string): string {
  return /^0[0-7]+$/.test(text) ? `0o${text.slice(1)}` : text;
}

/** They are names of a target too, `standard`. */
const VERDICTS: readonly string[] = ['ACCEPT', 'DROP', 'QUEUE', 'RETURN'];

/** assert_valid_chain_name */
function checkNewName(name: string, { ctx }: CommandState): void {
  const { program, family } = ctx;
  if (utf8Length(name) >= NAME_LIMIT) {
    throw badParameter(program, `chain name \`${name}' too long (must be under ${NAME_LIMIT} chars)`);
  }
  if (name.startsWith('-') || name.startsWith('!')) {
    throw badParameter(program, `chain name not allowed to start with \`${name[0]}'`);
  }
  if (isTargetName(name, family) || VERDICTS.includes(name))
    throw badParameter(program, 'chain name may not clash with target name');
  if (/\s/.test(name)) throw badParameter(program, `Invalid chain name \`${name}'`);
}
