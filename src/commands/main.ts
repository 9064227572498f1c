/** The program: finds the command, runs it, turns what it throws into a message and an exit status. */

import { readFileSync } from 'node:fs';
import { parseArguments } from './arguments.ts';
import { type CommandSpec, EXIT, UsageError } from './command.ts';
import { COMMANDS, findCommand } from './command-table.ts';
import { describeFailure } from './failures.ts';
import { type Host, HostQuestion, ownHost } from './host.ts';
import { isProgram } from './iptables/programs.ts';
import type { Place } from './iptables/run-program.ts';
import { type Output, processOutput } from './output.ts';
import { commandHelp, generalHelp, usageLine } from './usage.ts';

/** Runs `bpfilter` with these arguments (without program names) and resolves to the exit status. Throws only HostQuestion. */
export async function main(argv: readonly string[], output: Output, place: Place = { host: ownHost }): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h' || name === 'help') return help(rest, output);
  if (name === '--version' || name === '-V') {
    output.out(`bpfilter ${version()}\n`);
    return EXIT.done;
  }
  if (name === undefined) {
    output.err(generalHelp().trimEnd());
    return EXIT.usage;
  }
  if (isProgram(name)) {
    const { runProgram } = await import('./iptables/run-program.ts');
    return runProgram(name, rest, output, place);
  }
  const spec = findCommand(name);
  if (spec === undefined) {
    const commands = Object.keys(COMMANDS).join(', ');
    output.err(`bpfilter: "${name}" is not a command; there are ${commands}`);
    return EXIT.usage;
  }
  return runCommand(name, spec, rest, output, place.host);
}

async function runCommand(
  name: string,
  spec: CommandSpec,
  argv: readonly string[],
  output: Output,
  host: Host,
): Promise<number> {
  try {
    const { operands, options } = parseArguments(spec, argv);
    if (options['help'] === true) {
      output.out(commandHelp(name, spec));
      return EXIT.done;
    }
    const command = await spec.load();
    return await command.run({ command: name, operands, options, output, host });
  } catch (error) {
    if (error instanceof HostQuestion) throw error;
    if (error instanceof UsageError) {
      output.err(`bpfilter ${name}: ${error.message}\n${usageLine(name, spec)}\nTry: bpfilter ${name} --help`);
      return EXIT.usage;
    }
    const { message, status } = describeFailure(error);
    output.err(`bpfilter ${name}: ${message}`);
    if ((process.env['BPFILTER_DEBUG'] ?? '') !== '' && error instanceof Error) output.err(error.stack ?? '');
    return status;
  }
}

function help(argv: readonly string[], output: Output): number {
  const [name] = argv;
  const spec = name === undefined ? undefined : findCommand(name);
  if (name !== undefined && spec === undefined) {
    output.err(`bpfilter: "${name}" is not a command`);
    return EXIT.usage;
  }
  output.out(name === undefined || spec === undefined ? generalHelp() : commandHelp(name, spec));
  return EXIT.done;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown';
}

/**
 * What the launchers in bin/ call: the process's own arguments and streams; the exit status waits for pending output.
 * `program`: the name that the launcher stands for, if it is one of the iptables family.
 */
export async function runProcess(program?: string): Promise<void> {
  const words = process.argv.slice(2);
  process.exitCode = await main(program === undefined ? words : [program, ...words], processOutput());
}
