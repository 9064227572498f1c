/** `bpfilter flush`: takes everything out of force. */

import { hookText } from '../device/hook.ts';
import { flushDevices } from '../firewall/device-install.ts';
import { readDevices } from '../firewall/device-read.ts';
import { flush } from '../firewall/flush.ts';
import { withExclusiveSession } from '../firewall/session.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation } from './command.ts';
import { deviceHooks } from './device.ts';
import { netnsFor } from './options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  const hooks = deviceHooks(options);
  withExclusiveSession(netnsFor(invocation), waitSeconds, ({ layout }) => {
    if (hooks !== undefined) {
      const named = readDevices(layout).filter(({ hook }) => hooks.some((item) => hookText(item) === hookText(hook)));
      flushDevices(layout, ({ kind, index }) =>
        named.some(({ hook, index: at }) => hook.kind === kind && at === index),
      );
      return;
    }
    flushDevices(layout);
    flush(layout);
  });
  return EXIT.done;
}
