/**
 * What bpfilter keeps in nf_tables, in a table of its own per family: the switch of connection tracking, and the bridge through
 * which the kernel sends REJECT's answers. All calls act in the calling thread's network namespace; each is one transaction,
 * idempotent, and independent of the others.
 *
 *     table ip bpfilter {
 *       chain conntrack { ct state new }                                      no hook: no packet comes here
 *       chain bridge_INPUT { type filter hook input priority p; match bpf ANY goto answers }
 *       chain answers { match bpf CLASS0 reject with ...; match bpf CLASS1 reject with ...; ... }
 *     }
 */

import { existsSync } from 'node:fs';
import { type Family, HOOKS, type Hook, NF_INET_HOOK, NFPROTO } from '../packet/netfilter.ts';
import { ERRNO, SyscallError } from './errno.ts';
import { attributeS32, attributes, attributeText, parseAttributes } from './netlink-message.ts';
import { nftDump, nftTransaction } from './netlink-socket.ts';
import {
  ctStateNew,
  destroyChain,
  destroyTable,
  gotoChain,
  matchPinnedProgram,
  type NativeReject,
  NFT_MSG,
  NFTA_CHAIN,
  NFTA_HOOK,
  NFTA_RULE,
  newChain,
  newRule,
  newTable,
  reject,
} from './nft-objects.ts';

export const NFT_TABLE = 'bpfilter';
const CONNTRACK = 'conntrack';
const ANSWERS = 'answers';
const BRIDGE_HOOKS = ['INPUT', 'FORWARD', 'OUTPUT'] as const satisfies readonly Hook[];
type BridgeHook = (typeof BRIDGE_HOOKS)[number];
const bridgeChain = (hook: BridgeHook): string => `bridge_${hook}`;

const MATCH_NEEDS = 'CONFIG_NFT_COMPAT and CONFIG_NETFILTER_XT_MATCH_BPF';
const REJECT_NEEDS = {
  ipv4: `${MATCH_NEEDS}, CONFIG_NFT_REJECT and CONFIG_NFT_REJECT_IPV4`,
  ipv6: `${MATCH_NEEDS}, CONFIG_NFT_REJECT and CONFIG_NFT_REJECT_IPV6`,
} as const satisfies Record<Family, string>;

/** Switches connection tracking (and with it defragmentation) on for a family. @throws SyscallError */
export function enableConntrack(family: Family): void {
  const place = { table: NFT_TABLE, chain: CONNTRACK };
  const about = { comment: 'bpfilter: switches connection tracking on', needs: 'CONFIG_NFT_CT' };
  nftTransaction([
    newTable(family, NFT_TABLE),
    destroyChain(family, NFT_TABLE, CONNTRACK),
    newChain(family, NFT_TABLE, CONNTRACK),
    newRule(family, place, ctStateNew(), about),
  ]);
}

/** Takes our switch back. Connection tracking stays on while anybody else uses it. */
export function disableConntrack(family: Family): void {
  nftTransaction([newTable(family, NFT_TABLE), destroyChain(family, NFT_TABLE, CONNTRACK)]);
  removeEmptyTable(family);
}

/** The REJECT bridge of one family. Programs are socket filters pinned in bpffs that say whether the packet is meant. */
export interface BridgeSpec {
  readonly family: Family;
  /** Where the bridge hangs: after our program and before its guard. */
  readonly hooks: readonly { readonly hook: Hook; readonly priority: number }[];
  /** Path of the program that matches every packet on its way to the bridge. */
  readonly anyProgram: string;
  /** For each class of answers the path of the program that matches its packets. */
  readonly classes: readonly { readonly program: string; readonly reject: NativeReject }[];
}

/** Installs the bridge in place of any earlier one, in one transaction. @throws SyscallError */
export function installBridge(spec: BridgeSpec): void {
  const { family } = spec;
  for (const path of [spec.anyProgram, ...spec.classes.map((item) => item.program)]) {
    if (!existsSync(path)) throw new SyscallError('installing the REJECT bridge', ERRNO.ENOENT.number, path);
  }
  const hooks = spec.hooks.map(({ hook, priority }) => ({ hook: bridgeHook(hook), priority }));
  nftTransaction([
    newTable(family, NFT_TABLE),
    ...removal(family),
    newChain(family, NFT_TABLE, ANSWERS),
    ...spec.classes.map((item) =>
      newRule(family, { table: NFT_TABLE, chain: ANSWERS }, [matchPinnedProgram(item.program), reject(item.reject)], {
        comment: 'bpfilter: answers for REJECT',
        needs: REJECT_NEEDS[family],
      }),
    ),
    ...hooks.flatMap((base) => [
      newChain(family, NFT_TABLE, bridgeChain(base.hook), base),
      newRule(
        family,
        { table: NFT_TABLE, chain: bridgeChain(base.hook) },
        [matchPinnedProgram(spec.anyProgram), gotoChain(ANSWERS)],
        { comment: 'bpfilter: packets that a REJECT rule refused', needs: MATCH_NEEDS },
      ),
    ]),
  ]);
}

function bridgeHook(hook: Hook): BridgeHook {
  const found = BRIDGE_HOOKS.find((name) => name === hook);
  if (found === undefined) throw new RangeError(`REJECT is not possible on ${hook}`);
  return found;
}

/** Removes the bridge, if there is one. */
export function removeBridge(family: Family): void {
  nftTransaction([newTable(family, NFT_TABLE), ...removal(family)]);
  removeEmptyTable(family);
}

/** First the chains that jump, then the one they jump to. */
function removal(family: Family): ReturnType<typeof destroyChain>[] {
  return [...BRIDGE_HOOKS.map(bridgeChain), ANSWERS].map((name) => destroyChain(family, NFT_TABLE, name));
}

/** Removes everything of ours, in both families. */
export function removeNftTables(): void {
  nftTransaction([destroyTable('ipv4', NFT_TABLE), destroyTable('ipv6', NFT_TABLE)]);
}

/** What of ours is in force. */
export interface NftState {
  readonly conntrack: boolean;
  readonly bridge?: {
    readonly hooks: readonly { readonly hook: Hook; readonly priority: number }[];
    readonly classes: number;
  };
}

/** Reads back what the kernel has in our table. */
export function readNftState(family: Family): NftState {
  const chains = ourChains(family);
  const names = chains.map((chain) => chain.name);
  const conntrack = names.includes(CONNTRACK) && countRules(family, CONNTRACK) > 0;
  const hooks = chains.flatMap(({ name, base }) => {
    const whole = base !== undefined && name === `bridge_${base.hook}` && countRules(family, name) > 0;
    return whole ? [base] : [];
  });
  if (hooks.length === 0) return { conntrack };
  return { conntrack, bridge: { hooks, classes: names.includes(ANSWERS) ? countRules(family, ANSWERS) : 0 } };
}

export interface ChainInfo {
  readonly name: string;
  readonly base: { readonly hook: Hook; readonly priority: number } | undefined;
}

/** The chains of our table in a family. */
export function ourChains(family: Family): ChainInfo[] {
  return nftDump(NFT_MSG.GETCHAIN, NFPROTO[family]).flatMap((chain) => {
    if (attributeText(chain.get(NFTA_CHAIN.TABLE[0])) !== NFT_TABLE) return [];
    const place = chain.get(NFTA_CHAIN.HOOK[0]);
    return [
      {
        name: attributeText(chain.get(NFTA_CHAIN.NAME[0])) ?? '',
        base: place === undefined ? undefined : baseOf(place),
      },
    ];
  });
}

/** Names of the tables and chains of a family in nf_tables, whoever made them. */
export function allChains(family: Family): readonly { readonly table: string; readonly name: string }[] {
  return nftDump(NFT_MSG.GETCHAIN, NFPROTO[family]).map((chain) => ({
    table: attributeText(chain.get(NFTA_CHAIN.TABLE[0])) ?? '',
    name: attributeText(chain.get(NFTA_CHAIN.NAME[0])) ?? '',
  }));
}

function baseOf(place: Uint8Array): ChainInfo['base'] {
  const parts = parseAttributes(place);
  const number = attributeS32(parts.get(NFTA_HOOK.HOOKNUM[0]));
  const hook = HOOKS.find((name) => NF_INET_HOOK[name] === number);
  const priority = attributeS32(parts.get(NFTA_HOOK.PRIORITY[0]));
  return hook === undefined || priority === undefined ? undefined : { hook, priority };
}

function countRules(family: Family, chain: string): number {
  const body = attributes(NFTA_RULE, { TABLE: NFT_TABLE, CHAIN: chain });
  return nftDump(NFT_MSG.GETRULE, NFPROTO[family], body).length;
}

/** Removes our table if it has no chains left. */
export function removeEmptyTable(family: Family): void {
  if (ourChains(family).length === 0) nftTransaction([destroyTable(family, NFT_TABLE)]);
}
