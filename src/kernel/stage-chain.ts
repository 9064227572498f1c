/**
 * Chains of our nft table that answer packets which wait for it on their way through a table's programs (codegen/netfilter/staged.ts):
 * on each hook one in front of every program that goes on with packets, at its very priority, and one with all questions of the table.
 *
 *     chain staged_7_filter_INPUT_1 { type filter hook input priority -16; match bpf WAITING goto staged_7_filter }
 *     chain staged_7_filter { match bpf QUESTION1 match connlimit ... match bpf YES; match bpf QUESTION2 ... }
 *     chain staged_7_filter_held { match nfacct ... }      questions that no packet can get to, which hold on to what they name
 */

import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { AskedQuestion } from './ask-chain.ts';
import { type NftCommand, nftTransaction } from './netlink-socket.ts';
import { NFT_TABLE, ourChains, removeEmptyTable } from './nfnetlink.ts';
import {
  destroyChain,
  gotoChain,
  matchOpenProgram,
  type NftExpression,
  newChain,
  newRule,
  newTable,
} from './nft-objects.ts';

export interface StageChains {
  readonly family: Family;
  readonly generation: number;
  readonly table: TableName;
  /** The programs that go on, by hook in the order in which packets meet them. */
  readonly bases: readonly { readonly hook: Hook; readonly stage: number; readonly priority: number }[];
  /** Descriptors of the programs that tell whether a packet waits, and that note a yes. */
  readonly waiting: number;
  readonly yes: number;
  /** `asked`: descriptor of the program that tells whether a packet waits for this question, and notes that it was put. */
  readonly questions: readonly (AskedQuestion & { readonly asked: number })[];
}

/** Questions without packets. */
export interface HeldQuestions {
  readonly family: Family;
  readonly generation: number;
  readonly table: TableName;
  readonly held: readonly AskedQuestion[];
}

const NAME = /^staged_(\d+)_[a-z]+(?:_[A-Z]+_\d+|_held)?$/;
const COMPAT_NEEDS = 'CONFIG_NFT_COMPAT';
const BPF_NEEDS = `${COMPAT_NEEDS} and CONFIG_NETFILTER_XT_MATCH_BPF`;

/** Installs chains in one transaction. @throws SyscallError */
export function installStageChains(asked: readonly StageChains[], held: readonly HeldQuestions[]): void {
  const families = [...new Set([...asked, ...held].map(({ family }) => family))];
  if (families.length === 0) return;
  nftTransaction([
    ...families.map((family) => newTable(family, NFT_TABLE)),
    ...asked.flatMap(askedCommands),
    ...held.flatMap(heldCommands),
  ]);
}

function askedCommands({
  family,
  generation,
  table,
  bases,
  waiting,
  yes,
  questions,
}: StageChains): readonly NftCommand[] {
  const name = `staged_${generation}_${table}`;
  return [
    newChain(family, NFT_TABLE, name),
    ...questions.map((question) =>
      questionRule(family, name, question, [matchOpenProgram(question.asked)], [matchOpenProgram(yes)]),
    ),
    ...bases.flatMap(({ hook, stage, priority }) => {
      const base = `${name}_${hook}_${stage}`;
      return [
        newChain(family, NFT_TABLE, base, { hook, priority }),
        newRule(family, { table: NFT_TABLE, chain: base }, [matchOpenProgram(waiting), gotoChain(name)], {
          comment: 'bpfilter: packets that wait for an answer',
          needs: BPF_NEEDS,
        }),
      ];
    }),
  ];
}

function heldCommands({ family, generation, table, held }: HeldQuestions): readonly NftCommand[] {
  const name = `staged_${generation}_${table}_held`;
  return [newChain(family, NFT_TABLE, name), ...held.map((question) => questionRule(family, name, question, [], []))];
}

function questionRule(
  family: Family,
  chain: string,
  { expression, needs, protocol }: AskedQuestion,
  before: readonly NftExpression[],
  behind: readonly NftExpression[],
): NftCommand {
  return newRule(
    family,
    { table: NFT_TABLE, chain },
    [...before, ...(expression === undefined ? [] : [expression]), ...behind],
    {
      comment: 'bpfilter: question on the way',
      needs: `${COMPAT_NEEDS} and ${needs}`,
      ...(protocol === undefined ? {} : { protocol }),
    },
  );
}

/** Removes the chains of a family except those of generation `kept`. */
export function removeStageChains(family: Family, kept: number | undefined): void {
  const unwanted = ourChains(family)
    .map(({ name }) => name)
    .filter((name) => {
      const generation = NAME.exec(name)?.[1];
      return generation !== undefined && Number(generation) !== kept;
    });
  if (unwanted.length === 0) return;
  // Those that go to others first: a chain that is gone to cannot be removed.
  const callersFirst = unwanted.toSorted((a, b) => b.length - a.length);
  nftTransaction(callersFirst.map((name) => destroyChain(family, NFT_TABLE, name)));
  removeEmptyTable(family);
}
