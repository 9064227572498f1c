/** Completion for zsh: the specifications of _arguments. */

import { type Candidates, type Commands, commandWords, type OptionWords } from './words.ts';

/** The script for the vendor's completions of zsh, `_bpfilter`. */
export function zshCompletion(commands: Commands): string {
  const all = commandWords(commands);
  const branches = all.map(({ name, options, operands }) => {
    const lines = [
      ...options.map(argument),
      ...(operands.kind === 'nothing' ? [] : [quote(`*:operand:${action(operands)}`)]),
    ];
    return `    ${name})\n      _arguments -s ${lines.map((line) => `\\\n        ${line}`).join(' ')} ;;\n`;
  });
  return `#compdef bpfilter
_bpfilter() {
  local -a commands
  commands=(
${all.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}\n`).join('')}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${branches.join('')}  esac
}
_bpfilter "$@"
`;
}

function argument({ words, help, value }: OptionWords): string {
  const text = `[${help.replaceAll(/[[\]:\\]/g, (character) => `\\${character}`)}]${value === undefined ? '' : `:value:${action(value)}`}`;
  if (words.length === 1) return quote(`${words[0]}${text}`);
  return `${quote(`(${words.join(' ')})`)}{${words.join(',')}}${quote(text)}`;
}

function action(what: Candidates): string {
  switch (what.kind) {
    case 'words':
      return `(${what.words.join(' ')})`;
    case 'namespaces':
      return '_files -W /run/netns';
    case 'devices':
      return '_files -W /sys/class/net';
    case 'files':
      return '_files';
    case 'nothing':
      return ' ';
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
