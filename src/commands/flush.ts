/** `bpfilter flush`: takes everything out of force. */

import { flush } from '../firewall/flush.ts';
import { withExclusiveSession } from '../firewall/session.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation } from './command.ts';
import { netnsOf } from './options.ts';

export async function run({ options }: Invocation): Promise<number> {
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  withExclusiveSession(netnsOf(options), waitSeconds, (session) => flush(session.layout));
  return EXIT.done;
}
