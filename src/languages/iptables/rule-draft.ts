/** A rule line while it is being read, and the rules it becomes. */

import type { AccountLookup, RuleContext } from '../../extensions/contract.ts';
import type { Family, TableName } from '../../packet/netfilter.ts';
import type { Counters, IpPart, MaskedAddress, MatchUse, Rule, Selector, Target } from '../../rules/model.ts';
import type { CommandWords } from './command-words.ts';
import { finishOptions } from './extension-options.ts';
import type { ExtensionUse } from './extension-use.ts';
import { readHosts } from './ip-part.ts';
import type { Place, Report } from './report.ts';
import type { Word } from './words.ts';

/** What a line is read against. */
export interface LineContext {
  readonly family: Family;
  readonly table: TableName;
  readonly accounts: AccountLookup | undefined;
  readonly report: Report;
  /** What kind of chain the table has under a name at this point of the file. */
  chainKind(name: string): 'built-in' | 'user' | undefined;
}

/** `-s` or `-d`, read when the line is complete: a line for the other family may hold that one's addresses. */
export interface Hosts {
  readonly word: Word;
  readonly invert: Word | undefined;
}

/** The ip part while it grows. */
export type IpDraft = { -readonly [Key in keyof IpPart]: IpPart[Key] };

export interface RuleDraft {
  command: CommandWords | undefined;
  /** Base options given so far, by letter. */
  readonly seen: { readonly letter: string; readonly word: Word }[];
  /** All but the addresses. */
  readonly ip: IpDraft;
  sources: Hosts | undefined;
  destinations: Hosts | undefined;
  /** Matches and the target in the order in which they were loaded. */
  readonly uses: ExtensionUse[];
  target: Target;
  targetUse: ExtensionUse | undefined;
  counters: Counters;
  /** A `!` that waits for its option. */
  invert: Word | undefined;
  /** The protocol's match was loaded because an option asked for it. */
  protocolUsed: boolean;
  /** A match or target of the line is unknown: what it cannot place may be that one's. */
  lenient: boolean;
}

const NO_TARGET: Target = Object.freeze({ kind: 'none' });

export function createDraft(counters: Counters): RuleDraft {
  return {
    command: undefined,
    seen: [],
    ip: {},
    sources: undefined,
    destinations: undefined,
    uses: [],
    target: NO_TARGET,
    targetUse: undefined,
    counters,
    invert: undefined,
    protocolUsed: false,
    lenient: false,
  };
}

/** The word that held a base option, if it was given. */
export function seenOption(draft: RuleDraft, letter: string): Word | undefined {
  for (const seen of draft.seen) if (seen.letter === letter) return seen.word;
  return undefined;
}

/** Forgets the `!` and tells whether there was one. */
export function takeInvert(draft: RuleDraft): Word | undefined {
  const { invert } = draft;
  draft.invert = undefined;
  return invert;
}

/** Makes the rules of a complete line, one for each pair of source and destination. */
export function buildRules(draft: RuleDraft, line: Place, ctx: LineContext): readonly Rule[] {
  const { report } = ctx;
  const ips: IpPart[] = [];
  const destinations = selectors(draft.destinations, ctx);
  for (const source of selectors(draft.sources, ctx)) {
    for (const destination of destinations) ips.push(joinIp(source, destination, draft.ip));
  }
  const rule: RuleContext = { family: ctx.family, table: ctx.table, ip: ips[0] ?? draft.ip };
  const matches: MatchUse[] = [];
  let { target } = draft;
  for (const use of draft.uses) {
    const options = finishOptions(use, rule, report);
    const span = report.span(use.word);
    const { name } = use.extension;
    if (use === draft.targetUse) target = Object.freeze({ kind: 'extension', name, options, span });
    else matches.push(Object.freeze({ name, options, span }));
  }
  Object.freeze(matches);
  const span = report.span(line);
  return ips.map((ip) => Object.freeze({ ip, matches, target, counters: draft.counters, span }));
}

type HostSelector = Selector<MaskedAddress> | undefined;

function joinIp(source: HostSelector, destination: HostSelector, rest: IpDraft): IpPart {
  const ip: IpDraft = {};
  if (source !== undefined) ip.source = source;
  if (destination !== undefined) ip.destination = destination;
  return Object.freeze(Object.assign(ip, rest));
}

const NOTHING: readonly HostSelector[] = [undefined];

function selectors(hosts: Hosts | undefined, { family, report }: LineContext): readonly HostSelector[] {
  if (hosts === undefined) return NOTHING;
  const list = readHosts(hosts.word, family, report);
  if (list === undefined) return NOTHING;
  const invert = hosts.invert !== undefined;
  if (hosts.invert !== undefined && list.length > 1) report.add('inverted-list', hosts.invert);
  const span = report.span(hosts.word);
  // An empty mask asks nothing, unless it is inverted: then nothing matches.
  return list.map((value) => (value.mask === 0n && !invert ? undefined : Object.freeze({ value, invert, span })));
}
