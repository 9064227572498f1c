/** `bpfilter release`: gives the rules in force back to the kernel. */

import { release } from '../firewall/release.ts';
import { withExclusiveSession } from '../firewall/session.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation } from './command.ts';
import { netnsOf } from './options.ts';

export async function run({ options, output }: Invocation): Promise<number> {
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  const released = withExclusiveSession(netnsOf(options), waitSeconds, ({ layout }) => release(layout));
  if (!released) output.err('bpfilter release: no rules are in force');
  return EXIT.done;
}
