import type { TargetExtension } from '../contract.ts';
import { REDIRECT as XT_REDIRECT } from '../layouts/nat.ts';
import { natPorts } from '../values/nat-range.ts';
import { checkPorts, RANDOM } from './nat.ts';

/** xt_REDIRECT. */
export const redirect: TargetExtension = {
  kind: 'target',
  name: 'REDIRECT',
  summary: 'Changes the destination of a connection to this machine.',
  families: ['ipv4', 'ipv6'],
  tables: ['nat'],
  hooks: ['PREROUTING', 'OUTPUT'],
  layouts: XT_REDIRECT,
  options: [{ name: 'to-ports', value: natPorts, syntax: 'port[-port]' }, RANDOM],
  check: (options, ctx) => checkPorts('target "REDIRECT"', 'to-ports', options, ctx),
};
