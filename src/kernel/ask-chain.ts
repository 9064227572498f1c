/**
 * Chains of our nft table that put questions to the kernel: one for each generation, table and hook, at the very
 * priority of the program's stub. A hook that is registered later than another of the same priority runs before it, so nothing can come
 * between the answers and the program.
 *
 *     chain asked_7_filter_INPUT { type filter hook input priority -1; match bpf ASK; match set ... match bpf ANSWER0; ... }
 *     chain asked_7_filter { match set ... }      no hook: questions that no packet depends on, whose sets must stay all the same
 */

import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import { type NftCommand, nftTransaction } from './netlink-socket.ts';
import { allChains, NFT_TABLE } from './nfnetlink.ts';
import {
  destroyChain,
  destroyTable,
  matchOpenProgram,
  type NftExpression,
  newChain,
  newRule,
  newTable,
} from './nft-objects.ts';

export interface AskChain {
  readonly family: Family;
  readonly generation: number;
  readonly table: TableName;
  /**
   * Its questions are answered only in tables of certain names (`-m rpfilter`: raw and mangle): the chain lies in one of them, the
   * first that nobody else uses.
   */
  readonly inTables?: readonly string[];
  /** Where it hangs; absent: it only holds on to what the questions name. */
  readonly base?: { readonly hook: Hook; readonly priority: number };
  /** Descriptor of the program that enters a packet. */
  readonly begin?: number;
  readonly questions: readonly AskedQuestion[];
}

export interface AskedQuestion {
  /** Absent: the answer is yes. */
  readonly expression?: NftExpression;
  /** What the kernel must have been built with. */
  readonly needs: string;
  /** Protocol of the rules that ask, for matches that insist on one. */
  readonly protocol?: number;
  /** Descriptor of the program that notes a yes. */
  readonly answer?: number;
}

const NAME = /^(?:bpfilter_)?asked_(\d+)_[a-z]+(?:_[A-Z]+)?$/;
const COMPAT_NEEDS = 'CONFIG_NFT_COMPAT';

/** Installs chains in one transaction. @throws SyscallError */
export function installAskChains(chains: readonly AskChain[]): void {
  if (chains.length === 0) return;
  const placed = chains.map((chain) => ({ chain, nftTable: nftTableOf(chain) }));
  const tables = new Map(placed.map(({ chain, nftTable }) => [`${chain.family} ${nftTable}`, { chain, nftTable }]));
  nftTransaction([
    ...[...tables.values()].map(({ chain, nftTable }) => newTable(chain.family, nftTable)),
    ...placed.flatMap(({ chain, nftTable }) => chainCommands(chain, nftTable)),
  ]);
}

function nftTableOf({ family, inTables }: AskChain): string {
  if (inTables === undefined) return NFT_TABLE;
  const taken = allChains(family).filter(({ name }) => !NAME.test(name));
  return inTables.find((table) => taken.every((other) => other.table !== table)) ?? inTables[0] ?? NFT_TABLE;
}

function chainCommands(chain: AskChain, nftTable: string): readonly NftCommand[] {
  const { family, generation, table, base, begin } = chain;
  const own = nftTable === NFT_TABLE ? '' : 'bpfilter_';
  const name = `${own}asked_${generation}_${table}${base === undefined ? '' : `_${base.hook}`}`;
  const rule = (expressions: readonly NftExpression[], comment: string, needs: string, protocol?: number): NftCommand =>
    newRule(family, { table: nftTable, chain: name }, expressions, {
      comment,
      needs,
      ...(protocol === undefined ? {} : { protocol }),
    });
  return [
    newChain(family, nftTable, name, base),
    ...(begin === undefined
      ? []
      : [
          rule(
            [matchOpenProgram(begin)],
            'bpfilter: the kernel is asked about this packet',
            `${COMPAT_NEEDS} and CONFIG_NETFILTER_XT_MATCH_BPF`,
          ),
        ]),
    ...chain.questions.map(({ expression, needs, protocol, answer }) => {
      const noted = answer === undefined ? [] : [matchOpenProgram(answer)];
      return rule(
        [...(expression === undefined ? [] : [expression]), ...noted],
        'bpfilter: question',
        `${COMPAT_NEEDS} and ${needs}`,
        protocol,
      );
    }),
  ];
}

/** Removes the chains of a family except those of generation `kept`. */
export function removeAskChains(family: Family, kept: number | undefined): void {
  const unwanted = allChains(family).filter(({ name }) => {
    const generation = NAME.exec(name)?.[1];
    return generation !== undefined && Number(generation) !== kept;
  });
  if (unwanted.length === 0) return;
  nftTransaction(unwanted.map(({ table, name }) => destroyChain(family, table, name)));
  const tables = new Set(unwanted.map(({ table }) => table));
  const used = new Set(allChains(family).map(({ table }) => table));
  const empty = [...tables].filter((table) => !used.has(table));
  if (empty.length > 0) nftTransaction(empty.map((table) => destroyTable(family, table)));
}
