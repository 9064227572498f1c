/** Help texts, made from the command table. */

import type { CommandOption, CommandSpec } from './command.ts';
import { COMMANDS } from './command-table.ts';

const WIDTH = 92;

/** `bpfilter --help`. */
export function generalHelp(): string {
  const names = Object.keys(COMMANDS);
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, spec]) => `  ${name.padEnd(width)}  ${spec.summary}\n`);
  return (
    `Usage: bpfilter COMMAND [OPTION]... [FILE]...\n` +
    `Runs iptables rules as eBPF programs at the netfilter hooks.\n\n${lines.join('')}\n` +
    `iptables, iptables-save, iptables-restore and their ip6tables twins are commands, too: the iptables of old.\n` +
    `bpfilter COMMAND --help explains a command; bpfilter --version prints the version.\n` +
    `Exit status: 0 done, 1 failure, 2 bad usage or rules, 3 the kernel lacks a feature, 4 not permitted or busy.\n`
  );
}

/** `bpfilter COMMAND --help`. */
export function commandHelp(name: string, spec: CommandSpec): string {
  const options = Object.entries(spec.options).map(
    ([long, option]) => [optionSyntax(long, option), option.help] as const,
  );
  const width = Math.max(...options.map(([syntax]) => syntax.length));
  const optionLines = options.map(([syntax, help]) => {
    const [first = '', ...more] = wrap(help, WIDTH - width - 4);
    return [`  ${syntax.padEnd(width)}  ${first}`, ...more.map((line) => ' '.repeat(width + 4) + line)].join('\n');
  });
  const paragraphs = spec.details.map((text) => `\n${wrap(text, WIDTH).join('\n')}\n`);
  return `${usageLine(name, spec)}\n${sentence(spec.summary)}\n\n${optionLines.join('\n')}\n${paragraphs.join('')}`;
}

/** `Usage: bpfilter apply [OPTION]... FILE...`. */
export function usageLine(name: string, spec: CommandSpec): string {
  return `Usage: bpfilter ${name} [OPTION]...${spec.operands === '' ? '' : ` ${spec.operands}`}`;
}

/** `-w, --wait SECONDS`; long-only options are indented so that long names line up. */
export function optionSyntax(long: string, option: CommandOption): string {
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  return `${short}--${long}${option.value === undefined ? '' : ` ${option.value}`}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
