/** `bpfilter monitor`: the events of LOG and NFLOG rules as lines. */

import { decodeEvent } from '../codegen/netfilter/event.ts';
import { eventLine } from '../firewall/log/event-line.ts';
import { type EventReader, openEventReader } from '../firewall/monitor.ts';
import { withSession } from '../firewall/session.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation } from './command.ts';
import { netnsOf } from './options.ts';
import type { Output } from './output.ts';

/** How long an interrupt can take to be noticed. */
const TURN_MS = 200;

export async function run({ options, output }: Invocation): Promise<number> {
  const limit = wholeNumber('count', options['count']) ?? Number.POSITIVE_INFINITY;
  const reader = withSession(netnsOf(options), openEventReader);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    if (!reader.attached) output.err('bpfilter monitor: nothing is in force here yet; waiting');
    await follow(reader, output, limit, () => interrupted || output.closed);
  } finally {
    reader.close();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
  return EXIT.done;
}

async function follow(reader: EventReader, output: Output, limit: number, ended: () => boolean): Promise<void> {
  for (let printed = 0; printed < limit && !ended(); ) {
    const records = await reader.next(TURN_MS);
    for (const record of records) {
      const event = decodeEvent(record);
      if (event === undefined || printed >= limit) continue;
      output.out(`${eventLine(event)}\n`);
      printed++;
    }
    const lost = reader.takeLost();
    if (lost > 0n) output.err(`bpfilter monitor: ${lost} events were lost because the buffer was full`);
  }
}
