/** `bpfilter release`: gives the rules in force back to the kernel. */

import { hookText } from '../device/hook.ts';
import { readDevices } from '../firewall/device-read.ts';
import { release } from '../firewall/release.ts';
import { withExclusiveSession } from '../firewall/session.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation } from './command.ts';
import { netnsOf } from './options.ts';

export async function run({ options, output }: Invocation): Promise<number> {
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  const { released, devices } = withExclusiveSession(netnsOf(options), waitSeconds, ({ layout }) => ({
    released: release(layout),
    devices: readDevices(layout).map(({ hook }) => hookText(hook)),
  }));
  if (!released) output.err('bpfilter release: no rules are in force');
  // The kernel has no tables there.
  if (devices.length > 0)
    output.err(
      `bpfilter release: the policies on devices stay in force: ${devices.join(', ')} (\`bpfilter flush --hook ${devices.join(',')}\` removes them)`,
    );
  return EXIT.done;
}
