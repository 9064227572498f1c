import type { OptionMap, OptionSpec, TargetExtension } from '../contract.ts';
import { LED as XT_LED } from '../layouts/rare-targets.ts';
import { given, without } from '../options.ts';
import { flag } from '../values/flag.ts';
import { ledDelay } from '../values/led-delay.ts';
import { quotedName } from '../values/quoted-name.ts';

/** The kernel puts "netfilter-" before the name, and keeps 26 bytes. */
const LONGEST_NAME = 16;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'led-trigger-id', value: quotedName(LONGEST_NAME), syntax: 'name', mandatory: true },
  { name: 'led-delay', value: ledDelay, syntax: 'milliseconds or inf' },
  { name: 'led-always-blink', value: flag },
];

/** xt_LED. */
export const led: TargetExtension = {
  kind: 'target',
  name: 'LED',
  summary: 'Lights a lamp when a packet comes.',
  families: ['ipv4', 'ipv6'],
  effect: {},
  layouts: XT_LED,
  options: OPTIONS,
  normalise: withoutIdleDelay,
};

function withoutIdleDelay(options: OptionMap): OptionMap {
  return given(options, 'led-delay', 'integer')?.value === 0n ? without(options, 'led-delay') : options;
}
