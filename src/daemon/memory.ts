/** Giving memory back: V8 keeps what a burst of compiling has made until it needs the room, and a daemon may then idle for days. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A function that collects everything that nobody refers to any more; takes about 0.1 s for 10,000 rules. */
export function memoryCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return () => {
    if (typeof collect === 'function') collect();
  };
}
