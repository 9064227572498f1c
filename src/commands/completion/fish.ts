/** Completion for fish: one `complete` a word. */

import { type Candidates, type Commands, commandWords, type OptionWords } from './words.ts';

/** The script for the vendor's completions of fish. */
export function fishCompletion(commands: Commands): string {
  const all = commandWords(commands);
  const first = all.map(
    ({ name, summary }) => `complete -c bpfilter -f -n __fish_use_subcommand -a ${name} -d ${quote(summary)}\n`,
  );
  const more = all.flatMap(({ name, options, operands }) => {
    const when = `complete -c bpfilter -n '__fish_seen_subcommand_from ${name}'`;
    return [
      ...(operands.kind === 'files' ? [] : [`${when} -f${list(operands)}\n`]),
      ...options.map((option) => `${when}${flags(option)} -d ${quote(option.help)}\n`),
    ];
  });
  return `# fish completion for bpfilter(8)\n${first.join('')}${more.join('')}`;
}

function flags({ words, value }: OptionWords): string {
  const names = words.map((word) => (word.startsWith('--') ? ` -l ${word.slice(2)}` : ` -s ${word.slice(1)}`)).join('');
  if (value === undefined) return names;
  return value.kind === 'files' ? `${names} -r` : `${names} -x${list(value)}`;
}

function list(what: Candidates): string {
  switch (what.kind) {
    case 'words':
      return ` -a ${quote(what.words.join(' '))}`;
    case 'namespaces':
      return " -a '(command ls /run/netns 2>/dev/null)'";
    case 'devices':
      return " -a '(command ls /sys/class/net)'";
    case 'files':
    case 'nothing':
      return '';
  }
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
