/** Completion for bash: a function that looks at the words so far. */

import { type Candidates, type Commands, commandWords } from './words.ts';

/** The script for /usr/share/bash-completion/completions/bpfilter. */
export function bashCompletion(commands: Commands): string {
  const all = commandWords(commands);
  const branches = all.map(({ name, options, operands }) => {
    const values = options.flatMap(({ words, value }) =>
      value === undefined ? [] : [`        ${words.join('|')}) ${candidates(value)} ; return ;;\n`],
    );
    return (
      `    ${name})\n      case $previous in\n${values.join('')}      esac\n` +
      `      if [[ $current == -* ]]; then\n        _bpfilter_words '${options.flatMap(({ words }) => words).join(' ')}'\n` +
      `      else\n        ${candidates(operands)}\n      fi ;;\n`
    );
  });
  return `# bash completion for bpfilter(8)
_bpfilter_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current"); }
_bpfilter_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); }
_bpfilter_names() { _bpfilter_words "$(command ls "$1" 2>/dev/null)"; }
_bpfilter() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _bpfilter_words '${all.map(({ name }) => name).join(' ')} --help --version'
    return
  fi
  case \${COMP_WORDS[1]} in
${branches.join('')}  esac
}
complete -F _bpfilter bpfilter
`;
}

function candidates(what: Candidates): string {
  switch (what.kind) {
    case 'words':
      return `_bpfilter_words '${what.words.join(' ')}'`;
    case 'namespaces':
      return '_bpfilter_names /run/netns';
    case 'devices':
      return '_bpfilter_names /sys/class/net';
    case 'files':
      return '_bpfilter_files';
    case 'nothing':
      return ':';
  }
}
