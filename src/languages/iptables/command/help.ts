/** --help: the commands and options in our own words, and those of the matches and targets that were named. */

import { findMatch, findTarget } from '../../../extensions/registry.ts';
import type { Family } from '../../../packet/netfilter.ts';
import type { Program } from './stop.ts';

const USAGE = [
  '-A | -C | -D CHAIN RULE [options]',
  '-I CHAIN [NUMBER] RULE [options]',
  '-R CHAIN NUMBER RULE [options]',
  '-D CHAIN NUMBER [options]',
  '-L | -S | -Z [CHAIN [NUMBER]] [options]',
  '-F | -X [CHAIN] [options]',
  '-N CHAIN',
  '-E CHAIN NAME',
  '-P CHAIN POLICY [options]',
  '-h | -V',
];

/** Option and what it does. */
const COMMANDS = [
  ['-A, --append CHAIN', 'add a rule at the end'],
  ['-C, --check CHAIN', 'succeed if there is such a rule'],
  ['-D, --delete CHAIN [NUMBER]', 'delete the rule of that number, or the first like this one'],
  ['-I, --insert CHAIN [NUMBER]', 'add a rule in front of another (of the first)'],
  ['-R, --replace CHAIN NUMBER', 'put a rule in the place of another'],
  ['-L, --list [CHAIN [NUMBER]]', 'show rules in columns'],
  ['-S, --list-rules [CHAIN [NUMBER]]', 'show rules as commands'],
  ['-F, --flush [CHAIN]', 'delete the rules of a chain or of all'],
  ['-Z, --zero [CHAIN [NUMBER]]', 'set counters to zero'],
  ['-N, --new-chain CHAIN', 'make a chain'],
  ['-X, --delete-chain [CHAIN]', 'delete an empty, unused chain or all chains of users'],
  ['-E, --rename-chain CHAIN NAME', 'give a chain another name'],
  ['-P, --policy CHAIN POLICY', 'what happens at the end of a built-in chain: ACCEPT or DROP'],
] as const;

const OPTIONS = [
  ['-t, --table TABLE', 'raw, mangle, nat, filter (the default) or security'],
  ['[!] -p, --protocol PROTOCOL', 'name or number'],
  ['[!] -s, --source ADDRESS[/MASK][,...]', 'where the packet comes from'],
  ['[!] -d, --destination ADDRESS[/MASK][,...]', 'where it goes to'],
  ['[!] -i, --in-interface NAME[+]', 'device it came in by'],
  ['[!] -o, --out-interface NAME[+]', 'device it goes out by'],
  ['-m, --match MATCH', 'a further condition, with options of its own'],
  ['-j, --jump TARGET', 'verdict, target or chain'],
  ['-g, --goto CHAIN', 'go to a chain without coming back'],
  ['-c, --set-counters PACKETS BYTES', "the rule's counters"],
  ['-n, --numeric', 'numbers instead of names'],
  ['-v, --verbose', 'counters and devices too; say what is changed'],
  ['-x, --exact', 'counters in full'],
  ['--line-numbers', 'numbers of rules'],
  ['-w, --wait [SECONDS]', 'wait for the lock'],
  ['-4, --ipv4 / -6, --ipv6', 'lines for one family only, in restore files'],
  ['--modprobe COMMAND', 'taken and not used'],
] as const;

/** The whole text. `extensions`: names of matches and targets to explain. */
export function helpText(program: Program, family: Family, extensions: readonly string[]): string {
  const usage = USAGE.map((line, at) => `${at === 0 ? 'Usage: ' : '       '}${program.name} ${line}\n`).join('');
  const fragment = family === 'ipv4' ? rows([['[!] -f, --fragment', 'later fragments only']]) : '';
  const own = extensions.map((name) => extensionHelp(name, family)).join('');
  return `${program.name} v${program.version}\n\n${usage}\nCommands:\n${rows(COMMANDS)}\nOptions:\n${rows(OPTIONS)}${fragment}${own}`;
}

function rows(list: readonly (readonly [string, string])[]): string {
  return list.map(([option, text]) => `  ${option.padEnd(44)}${text}\n`).join('');
}

function extensionHelp(name: string, family: Family): string {
  const extension = findMatch(name, family) ?? findTarget(name, family);
  if (extension === undefined) return '';
  const options = extension.options.map(
    (spec) =>
      `  ${spec.invertible === true ? '[!] ' : ''}--${spec.name}${spec.syntax === undefined ? '' : ` ${spec.syntax}`}\n`,
  );
  const summary = extension.summary === undefined ? '' : `  ${extension.summary}\n`;
  return `\n${name} ${extension.kind} options:\n${summary}${options.join('')}`;
}
