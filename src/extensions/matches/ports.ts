/** The two port options of tcp, udp and udplite. */

import type { OptionMap, OptionSpec, ValueType } from '../contract.ts';
import { given, without } from '../options.ts';
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
  const idle = ['sport', 'dport'].filter((name) => {
    const range = given(options, name, 'range');
    return range !== undefined && range.min === 0n && range.max === U16_MAX && !range.invert;
  });
  return idle.length === 0 ? options : without(options, ...idle);
}
