import type { MatchExtension } from '../contract.ts';
import { COMMENT as XT_COMMENT } from '../layouts/packet.ts';
import { lowered } from '../options.ts';
import { text } from '../values/text.ts';

/** xt_comment: always true. XT_MAX_COMMENT_LEN is 256 with the closing zero byte; iptables cuts what is longer. */
export const comment: MatchExtension = {
  kind: 'match',
  name: 'comment',
  summary: 'A remark; it asks nothing of the packet.',
  families: ['ipv4', 'ipv6'],
  layouts: XT_COMMENT,
  options: [{ name: 'comment', value: text(255, { truncate: true }), syntax: 'text', mandatory: true }],
  lower: () => lowered([]),
};
