/** What is checked when all words of a command line are read, in iptables' order, and the rules that it describes. */

import type { IpPart, MaskedAddress, MatchUse, Rule, Selector, Target } from '../../../rules/model.ts';
import { finishOptions } from '../extension-options.ts';
import { readHosts } from '../ip-part.ts';
import type { Hosts } from '../rule-draft.ts';
import { utf8Length } from '../words.ts';
import { BITS, illegalOption, RULE_COMMANDS } from './command-bits.ts';
import { NAME_LIMIT } from './command-option.ts';
import { combinationWords } from './own-words.ts';
import { type CommandLine, type CommandState, tableNameOf } from './parse-command.ts';
import { badParameter } from './stop.ts';
import { INVALID_ARGUMENT, OUT_OF_RANGE } from './table-edit.ts';

/** @throws Stop */
export function finishCommand(state: CommandState): CommandLine {
  const { bits, draft, ctx, given, chain, reading } = state;
  const { program } = ctx;
  const { target } = draft;
  const drops = target.kind === 'verdict' && target.verdict === 'DROP';
  if (state.table === 'nat' && (state.policy === 'DROP' || drops)) {
    throw badParameter(
      program,
      '\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n',
    );
  }
  if ((state.wait ?? 0) === 0 && state.waitInterval) {
    throw badParameter(program, '--wait-interval only makes sense with --wait\n');
  }
  const uses = finishUses(state);
  if (bits === 0) throw badParameter(program, 'no command specified');
  if (draft.invert !== undefined) throw badParameter(program, 'nothing appropriate following !');
  const ips = addresses(state);
  if (bits === BITS.replace && ips.length !== 1) {
    throw badParameter(program, 'Replacement rule does not specify a unique address');
  }
  const illegal = illegalOption(bits, given);
  if (illegal !== undefined) throw badParameter(program, `Illegal option \`-${illegal}' with this command`);
  if (chain !== undefined && utf8Length(chain) >= NAME_LIMIT) {
    throw badParameter(program, `chain name \`${chain}' too long (must be under ${NAME_LIMIT} chars)`);
  }
  if ((bits & (RULE_COMMANDS | BITS.deleteNumber)) !== 0) checkInterfaces(state);
  const rules = ips.map((ip): Rule => Object.freeze({ ip, ...uses, counters: draft.counters }));
  return {
    bits,
    table: state.table,
    chain,
    number: state.number,
    newName: state.newName,
    policy: state.policy,
    options: given,
    verbose: state.verbose,
    rules,
    counters: draft.counters,
    refusedByKernel: reading.refusedByKernel,
    wait: state.wait,
    notices: state.notices,
  };
}

/** Completes the matches and then the target (xtables_option_mfcall, xtables_option_tfcall). */
function finishUses({ draft, ctx, table, line, reading }: CommandState): {
  matches: readonly MatchUse[];
  target: Target;
} {
  const rule = { family: ctx.family, table: tableNameOf(table), ip: draft.ip };
  const matches: MatchUse[] = [];
  let { target } = draft;
  const ordered = [...draft.uses].sort((a, b) => Number(a === draft.targetUse) - Number(b === draft.targetUse));
  for (const use of ordered) {
    const { name } = use.extension;
    reading.about = name;
    const options = finishOptions(use, rule, line.report);
    const span = line.report.span(use.word);
    if (use === draft.targetUse) target = Object.freeze({ kind: 'extension', name, options, span });
    else matches.push(Object.freeze({ name, options, span }));
    // Some checks of extensions do not go through the report's own way.
    const [problem] = line.report.found;
    if (problem === undefined) continue;
    if (!isCheckedByKernel(name, problem.message)) throw badParameter(ctx.program, checkMessage(name, problem.message));
    reading.refusedByKernel = name === 'limit' ? OUT_OF_RANGE : INVALID_ARGUMENT;
    line.report.found.length = 0;
  }
  return { matches: Object.freeze(matches), target };
}

/** Matches whose combinations of options only the kernel refuses. */
const CHECKED_BY_KERNEL: readonly string[] = ['cgroup', 'ecn', 'limit', 'REJECT'];

function isCheckedByKernel(name: string, message: string): boolean {
  return CHECKED_BY_KERNEL.includes(name) || (name === 'addrtype' && message.includes('there is no address type'));
}

/** What iptables says of combinations of options that its option tables do not cover. */
function checkMessage(name: string, message: string): string {
  if (/^match "addrtype": at least one/.test(message)) return 'addrtype: you must specify --src-type or --dst-type';
  if (/^target "[SD]NAT": ports in/.test(message)) return 'Need TCP, UDP, SCTP or DCCP with port specification';
  const why = message.replace(/^(match|target) "[^"]*": /, '');
  return combinationWords(name, why) ?? `${name}: ${why}`;
}

function addresses(state: CommandState): readonly IpPart[] {
  const { draft, ctx } = state;
  const sources = selectors(draft.sources, state);
  const destinations = selectors(draft.destinations, state);
  const inverted = draft.sources?.invert !== undefined || draft.destinations?.invert !== undefined;
  if ((sources.length > 1 || destinations.length > 1) && inverted) {
    throw badParameter(ctx.program, '! not allowed with multiple source or destination IP addresses');
  }
  return sources.flatMap((source) =>
    destinations.map((destination) =>
      Object.freeze({
        ...(source === undefined ? {} : { source }),
        ...(destination === undefined ? {} : { destination }),
        ...draft.ip,
      }),
    ),
  );
}

function selectors(
  hosts: Hosts | undefined,
  { ctx, line }: CommandState,
): readonly (Selector<MaskedAddress> | undefined)[] {
  if (hosts === undefined) return [undefined];
  const invert = hosts.invert !== undefined;
  const list = readHosts(hosts.word, ctx.family, line.report) ?? [];
  return list.map((value) => (value.mask === 0n && !invert ? undefined : Object.freeze({ value, invert })));
}

/** Interfaces that a built-in chain cannot know. */
function checkInterfaces({ chain, given, ctx }: CommandState): void {
  const refused = ['PREROUTING', 'INPUT'].includes(chain ?? '')
    ? 'o'
    : ['POSTROUTING', 'OUTPUT'].includes(chain ?? '')
      ? 'i'
      : undefined;
  if (refused !== undefined && given.has(refused)) {
    throw badParameter(ctx.program, `Can't use -${refused} with ${chain}\n`);
  }
}
