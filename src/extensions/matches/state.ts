import { conditions, invertIf, require } from '../../policy/expr.ts';
import type { MatchExtension } from '../contract.ts';
import { STATE as XT_STATE } from '../layouts/connection.ts';
import { always, lowered } from '../options.ts';
import { wordSet } from '../values/word-set.ts';
import { ctState } from './ct-state.ts';

const states = wordSet(['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED'], {
  what: 'connection state',
  abbreviations: true,
});

/** `-m state`, which iptables gives to the kernel as a conntrack match with nothing but a state. */
export const state: MatchExtension = {
  kind: 'match',
  name: 'state',
  conntrack: true,
  summary: 'The state of the connection that the packet belongs to.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_STATE,
  options: [{ name: 'state', value: states, syntax: 'STATE,...', invertible: true, mandatory: true }],
  lower(options) {
    const { members, invert } = always(options, 'state', 'set');
    return lowered(conditions(require(invertIf(invert, ctState(members)))));
  },
};
