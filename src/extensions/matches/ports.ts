/** The two port options of tcp, udp and udplite. */

import type { OptionMap, OptionSpec, ValueType } from '../contract.ts';
import { givenRange, without } from '../options.ts';
import { U16_MAX } from '../values/numbers.ts';

export function portOptions(value: ValueType): readonly OptionSpec[] {
  const syntax = 'port[:port]';
  return [
    { name: 'sport', aliases: ['source-port'], value, syntax, invertible: true },
    { name: 'dport', aliases: ['destination-port'], value, syntax, invertible: true },
  ];
}

/** A range of all ports asks nothing and is not printed; inverted it stays, because it never matches. */
export function withoutIdlePorts(options: OptionMap): OptionMap {
  const idle = PORTS.filter((name) => isIdle(options, name));
  return idle.length === 0 ? options : without(options, ...idle);
}

const PORTS = ['sport', 'dport'];

function isIdle(options: OptionMap, name: string): boolean {
  const range = givenRange(options, name);
  return range !== undefined && range.min === 0n && range.max === U16_MAX && !range.invert;
}
