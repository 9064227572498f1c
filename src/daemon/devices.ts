/** Early drop follows devices that come, go and are renamed in the daemon's own network namespace. */

import { followEarlyDevices } from '../firewall/early-follow.ts';
import { BusyError } from '../firewall/failure.ts';
import { withExclusiveSession } from '../firewall/session.ts';
import { openLinkMonitor } from '../kernel/link-monitor.ts';

/** How often news are looked for: one system call that finds nothing. */
const EVERY_MS = 250;

export interface DeviceWatch {
  close(): void;
}

/** `say`: is told of devices that take no program, and of failures; each text once until something else is to be said. */
export function watchDevices(say: (text: string) => void): DeviceWatch {
  const monitor = openLinkMonitor();
  // Devices may have come before the daemon did.
  let pending = true;
  let said = '';
  const report = (texts: readonly string[]): void => {
    const text = texts.join('\n');
    if (text !== '' && text !== said) say(text);
    said = text;
  };
  const look = (): void => {
    pending = monitor.changed() || pending;
    if (!pending) return;
    try {
      report(withExclusiveSession(undefined, 0, ({ layout }) => followEarlyDevices(layout)));
      pending = false;
    } catch (error) {
      // Whoever is at work there may not know of the news: the next look sees to it.
      if (error instanceof BusyError) return;
      pending = false;
      report([error instanceof Error ? error.message : String(error)]);
    }
  };
  const timer = setInterval(look, EVERY_MS);
  return {
    close() {
      clearInterval(timer);
      monitor.close();
    },
  };
}
