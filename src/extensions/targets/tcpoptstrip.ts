import type { TargetExtension } from '../contract.ts';
import { TCPOPTSTRIP as XT_TCPOPTSTRIP } from '../layouts/rare-targets.ts';
import { tcpOptionList } from '../values/tcp-option-list.ts';
import { brokenHeader } from './tcp-header.ts';

/** xt_TCPOPTSTRIP. */
export const tcpoptstrip: TargetExtension = {
  kind: 'target',
  name: 'TCPOPTSTRIP',
  summary: 'Overwrites options of the TCP header with padding.',
  families: ['ipv4', 'ipv6'],
  effect: (_options, ctx) => ({
    needsProtocol: true,
    ends: brokenHeader(ctx.family),
    writes: ['bytes', 'tcp.options'],
  }),
  tables: ['mangle'],
  protocols: [6],
  layouts: XT_TCPOPTSTRIP,
  options: [{ name: 'strip-options', value: tcpOptionList, syntax: 'number or name,...' }],
};
