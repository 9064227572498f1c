/** From an event of a LOG or NFLOG rule to its line. */

import type { LogEvent } from '../../codegen/netfilter/event.ts';
import { formatLogLine } from './line.ts';

/**
 * The kernel's LOG line. An NFLOG rule has no --log options of its own; its line shows what a LOG without options does.
 * More than the first 256 bytes of a packet are not at hand, so a header beyond them shows as cut off.
 */
export function eventLine(event: LogEvent): string {
  return formatLogLine({
    family: event.family,
    prefix: event.log.prefix,
    flags: event.log.kind === 'LOG' ? event.log.flags : 0,
    inDevice: event.inDevice,
    outDevice: event.outDevice,
    ...(event.link === undefined ? {} : { mac: event.link }),
    bytes: event.bytes,
    length: event.length,
    mark: event.mark,
    ...(event.owner === undefined ? {} : { owner: event.owner }),
  });
}
