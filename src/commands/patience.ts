/** Waiting for others without keeping the process from its other work. */

import { BusyError } from '../firewall/failure.ts';

const RETRY_MS = 10;

/** Tries `work`, which must not wait itself, until the namespace is free or `seconds` are over. @throws BusyError */
export async function patiently<T>(seconds: number, work: (waitSeconds: number) => T): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return work(0);
    } catch (error) {
      if (!(error instanceof BusyError) || performance.now() >= deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
