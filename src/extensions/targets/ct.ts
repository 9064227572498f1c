import type { OptionSpec, TargetExtension } from '../contract.ts';
import { CT as XT_CT } from '../layouts/targets.ts';
import { refuse } from '../options.ts';
import { ctZone } from '../values/ct-zone.ts';
import { exactWordSet } from '../values/exact-word-set.ts';
import { flag } from '../values/flag.ts';
import { text } from '../values/text.ts';

/** In the order of their bits (IPCT_*), which is the order of printing. */
const EVENTS = [
  'new',
  'related',
  'destroy',
  'reply',
  'assured',
  'protoinfo',
  'helper',
  'mark',
  'natseqinfo',
  'secmark',
] as const;

const OPTIONS: readonly OptionSpec[] = [
  { name: 'notrack', value: flag },
  { name: 'helper', value: text(15, { notEmpty: true }), syntax: 'name' },
  { name: 'timeout', value: text(31, { notEmpty: true }), syntax: 'policy', excludes: ['notrack'] },
  { name: 'ctevents', value: exactWordSet(EVENTS, 'conntrack event'), syntax: 'event,...' },
  { name: 'expevents', value: exactWordSet(['new'], 'expectation event'), syntax: 'new' },
  { name: 'zone-orig', value: ctZone, syntax: 'n or mark', excludes: ['zone', 'zone-reply'] },
  { name: 'zone-reply', value: ctZone, syntax: 'n or mark', excludes: ['zone', 'zone-orig'] },
  { name: 'zone', value: ctZone, syntax: 'n or mark', excludes: ['zone-orig', 'zone-reply'] },
];

/** xt_CT revision 2. */
export const ct: TargetExtension = {
  kind: 'target',
  name: 'CT',
  summary: 'Says how the connection of a packet is to be tracked, or that it is not.',
  families: ['ipv4', 'ipv6'],
  effect: (options) => ({
    writes: ['ct.'],
    conntrack: options['notrack'] === undefined,
    ...(options['helper'] === undefined && options['timeout'] === undefined ? {} : { needsProtocol: true }),
  }),
  tables: ['raw'],
  hooks: ['PREROUTING', 'OUTPUT'],
  layouts: XT_CT,
  options: OPTIONS,
  check(options, ctx) {
    const { protocol } = ctx.ip;
    const tied = ['helper', 'timeout'].find((name) => options[name] !== undefined);
    if (tied === undefined || (protocol !== undefined && protocol.value !== 0 && !protocol.invert)) return [];
    return refuse('target "CT"', `--${tied} needs a protocol (-p)`, ctx.span);
  },
};
