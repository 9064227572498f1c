/** A rule line while it is being read, and the rules it becomes. */

import type { AccountLookup, RuleContext } from '../../extensions/contract.ts';
import type { Family, TableName } from '../../packet/netfilter.ts';
import type { Counters, IpPart, MaskedAddress, MatchUse, Rule, Selector, Target } from '../../rules/model.ts';
import type { CommandWords } from './command-words.ts';
import { finishOptions } from './extension-options.ts';
import type { ExtensionUse } from './extension-use.ts';
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

/** Addresses of `-s` or `-d`; several make several rules. */
export interface Hosts {
  readonly list: readonly MaskedAddress[];
  readonly invert: boolean;
  readonly word: Word;
}

export interface RuleDraft {
  command?: CommandWords;
  /** Base options given so far, by letter. */
  readonly seen: Map<string, Word>;
  ip: IpPart;
  sources?: Hosts;
  destinations?: Hosts;
  /** Matches and the target in the order in which they were loaded. */
  readonly uses: ExtensionUse[];
  target: Target;
  targetUse?: ExtensionUse;
  counters: Counters;
  /** A `!` that waits for its option. */
  invert?: Word;
  /** The protocol's match was loaded because an option asked for it. */
  protocolUsed: boolean;
  /** A match or target of the line is unknown: what it cannot place may be that one's. */
  lenient: boolean;
}

/** Forgets the `!` and tells whether there was one. */
export function takeInvert(draft: RuleDraft): Word | undefined {
  const { invert } = draft;
  delete draft.invert;
  return invert;
}

/** Makes the rules of a complete line, one for each pair of source and destination. */
export function buildRules(draft: RuleDraft, line: Place, ctx: LineContext): readonly Rule[] {
  const { report } = ctx;
  const sources = selectors(draft.sources, report);
  const destinations = selectors(draft.destinations, report);
  const ips = sources.flatMap((source) =>
    destinations.map(
      (destination): IpPart => Object.freeze({ ...source('source'), ...destination('destination'), ...draft.ip }),
    ),
  );
  const rule: RuleContext = { family: ctx.family, table: ctx.table, ip: ips[0] ?? draft.ip };
  const matches: MatchUse[] = [];
  let target = draft.target;
  for (const use of draft.uses) {
    const options = finishOptions(use, rule, report);
    const span = report.span(use.word);
    const part = Object.freeze({ name: use.extension.name, options, span });
    if (use === draft.targetUse) target = Object.freeze({ kind: 'extension', ...part });
    else matches.push(part);
  }
  const shared = { matches: Object.freeze(matches), target, counters: draft.counters, span: report.span(line) };
  return ips.map((ip) => Object.freeze({ ip, ...shared }));
}

type SelectorMaker = (name: 'source' | 'destination') => Pick<IpPart, 'source' | 'destination'>;

const NOTHING: readonly SelectorMaker[] = [() => ({})];

function selectors(hosts: Hosts | undefined, report: Report): readonly SelectorMaker[] {
  if (hosts === undefined) return NOTHING;
  const span = report.span(hosts.word);
  return hosts.list.map((value) => {
    // An empty mask asks nothing, unless it is inverted: then nothing matches.
    if (value.mask === 0n && !hosts.invert) return () => ({});
    const selector: Selector<MaskedAddress> = Object.freeze({
      value: Object.freeze(value),
      invert: hosts.invert,
      span,
    });
    return (name) => ({ [name]: selector });
  });
}
