/** The cases of the `.t` files that we answer otherwise than iptables 1.8.13, each with its reason. */

export interface TMiss {
  readonly file: string;
  /** The rule as it stands in the file. */
  readonly rule: string;
  readonly why: string;
}

const ONLY_WHEN_LOADED =
  'refused by iptables because the machine has no such object; reading a file asks nothing of the machine, so this is found when it is applied';

export const T_MISSES: readonly TMiss[] = [
  { file: 'libxt_SET.t', rule: '-j SET --add-set foo src,dst', why: ONLY_WHEN_LOADED },
  { file: 'libxt_nfacct.t', rule: '-m nfacct --nfacct-name wrong', why: ONLY_WHEN_LOADED },
];
