/** `bpfilter completion`: the script by which a shell completes bpfilter's words. */

import { EXIT, type Invocation, UsageError } from './command.ts';
import { COMMANDS } from './command-table.ts';
import { bashCompletion } from './completion/bash.ts';
import { fishCompletion } from './completion/fish.ts';
import type { Commands } from './completion/words.ts';
import { zshCompletion } from './completion/zsh.ts';

const SHELLS: Readonly<Record<string, (commands: Commands) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** See the command table. */
export async function run({ operands, output }: Invocation): Promise<number> {
  const [shell = '', surplus] = operands;
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (script === undefined)
    throw new UsageError(`"${shell}" is no shell that is known; there are ${Object.keys(SHELLS).join(', ')}`);
  if (surplus !== undefined) throw new UsageError(`unexpected operand "${surplus}"`);
  output.out(script(COMMANDS));
  return EXIT.done;
}
