/**
 * What a match or target is: one record, read by the parser, the printer and the lowering.
 *
 * A plain option needs no code: its value type says how it is parsed, checked and printed. Each extension has its own
 * file in `matches/` or `targets/`, its cases (`NAME.test.ts`) beside it, and a line in `registry.ts`.
 */

import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import type { Effect, MarkChange } from '../policy/effect.ts';
import type { Action, Condition, Expr, LogSpec, StateObject } from '../policy/ir.ts';
import type { Question } from '../policy/question.ts';
import type { IpPart, OptionUse, OptionValue } from '../rules/model.ts';
import type { XtLayout } from './layouts/layout.ts';
import type { Listing } from './listing/saved.ts';
import type { KernelObjects } from './objects.ts';

/** How the text of an option becomes an OptionValue and back. Each value type is one file in `extensions/values/`. */
export interface ValueType {
  /** How many command-line words it takes (0 for a flag). */
  readonly words: 0 | 1 | 2;
  /** With `words: 0`: it takes one more word if that looks like neither an option nor `!`. */
  readonly optionalWord?: true;
  /** Parses; the message must say what iptables would say in meaning. Never throws. */
  parse(words: readonly string[], ctx: ValueContext): ValueResult;
  /** The words that iptables-save prints for it. */
  print(value: OptionValue, ctx: { readonly family: Family }): readonly string[];
}

export interface ValueContext {
  readonly family: Family;
  readonly option: string;
  /** The ip part as far as it was given before this option: iptables reads a rule from left to right. */
  readonly ip?: IpPart;
  /** How to look up users and groups; absent where there is no system to ask. */
  readonly accounts?: AccountLookup;
}

/** Numbers of users and groups by name. */
export interface AccountLookup {
  user(name: string): number | undefined;
  group(name: string): number | undefined;
}

export type ValueResult =
  | { readonly ok: true; readonly value: OptionValue }
  /** `word` is the index of the word to blame. */
  | { readonly ok: false; readonly message: string; readonly word?: number };

export interface OptionSpec {
  /** Canonical long name without dashes. */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly value: ValueType;
  /** How the value is written, for the documentation: `port[:port]`. */
  readonly syntax?: string;
  readonly invertible?: boolean;
  readonly mandatory?: boolean;
  /** Names of options that exclude this one. */
  readonly excludes?: readonly string[];
  /** Names of options that must be there too. */
  readonly requires?: readonly string[];
  /** Value that holds, and is printed or not as the extension's print decides, when the option is absent. */
  readonly default?: OptionValue;
}

/** Options that describe one of several elements in a row. */
export interface ElementOptions {
  /** The flag that begins the next element. */
  readonly next: string;
  /** Options that each element may have; those of element n > 0 go by the names that `elementOption` gives them. */
  readonly options: readonly string[];
  /** How many elements there may be. */
  readonly most: number;
}

/** The name in an OptionMap of an option of element `at`, the first being 0. */
export function elementOption(name: string, at: number): string {
  return at === 0 ? name : `${name}#${at}`;
}

export interface RuleContext {
  readonly family: Family;
  readonly table: TableName;
  /** The ip part of the rule, complete. */
  readonly ip: IpPart;
}

interface ExtensionBase {
  readonly name: string;
  /** One sentence for the documentation. */
  readonly summary?: string;
  /** What somebody who knows it from iptables would not expect, for the documentation. */
  readonly notes?: readonly string[];
  readonly families: readonly Family[];
  readonly options: readonly OptionSpec[];
  /** The structures in which the kernel takes it; the first for a family is the one to write, the others are only read. */
  readonly layouts?: readonly XtLayout[];
  /** Options that may be repeated, once for each element. */
  readonly elements?: ElementOptions;
  /** IP protocol numbers of which one must be given with `-p`, not inverted; the kernel refuses anything else. */
  readonly protocols?: readonly number[];
  readonly tables?: readonly TableName[];
  /** A rule with it makes the kernel track connections (nf_ct_netns_get in its checkentry), whether or not packets reach it. */
  readonly conntrack?: true;
  readonly hooks?: readonly Hook[];
  /** Like `hooks`, where they depend on the options. */
  readonly hooksFor?: (options: OptionMap) => readonly Hook[];
  /** Rewrites options after parsing: folds aliases such as --syn, fills what depends on others. */
  readonly normalise?: (options: OptionMap, ctx: RuleContext) => OptionMap;
  /** Checks beyond the option table (at least one of several, combination of values). */
  readonly check?: (options: OptionMap, ctx: RuleContext & { readonly span?: Span }) => readonly Diagnostic[];
  /** The words iptables-save prints after `-m NAME` or `-j NAME`; absent: every given option in table order. */
  readonly print?: (options: OptionMap, ctx: RuleContext) => readonly string[];
  /** What a listing (-L) prints for it; absent: what `listing/index.ts` has for its name, or else its name and options. */
  readonly list?: Listing;
}

export type OptionMap = Readonly<Record<string, OptionUse>>;

export interface MatchExtension extends ExtensionBase {
  readonly kind: 'match';
  /**
   * The conditions the match adds to its rule, in kernel order. Absent: the match can be parsed and printed, but only
   * rules of tables that stay with the kernel may use it.
   */
  readonly lower?: (options: OptionMap, ctx: LowerContext) => Lowered<readonly Condition[]>;
  /** The kernel evaluates it when a packet gets to it (LowerContext.askHere), with these options. */
  readonly suspends?: (options: OptionMap) => boolean;
}

export interface TargetExtension extends ExtensionBase {
  readonly kind: 'target';
  readonly lower?: (options: OptionMap, ctx: LowerContext) => Lowered<Action>;
  /** For targets that the kernel carries out for a program (policy/effect.ts), instead of `lower`. */
  readonly effect?: EffectTraits | ((options: OptionMap, ctx: LowerContext) => EffectTraits);
}

/** What has to be known of a target to let the kernel carry it out behind a program. */
export interface EffectTraits {
  /** As in Effect. */
  readonly terminal?: true;
  readonly ends?: Expr;
  readonly lengthens?: Expr;
  readonly change?: MarkChange;
  readonly writes?: readonly string[];
  /** The kernel wants `-p` in its rule. */
  readonly needsProtocol?: true;
  /** The kernel wants a `tcp` match for SYN in its rule. */
  readonly needsSyn?: true;
  /** Loading the rule makes the kernel track connections. */
  readonly conntrack?: boolean;
  /** It cannot be carried out exactly: completes "cannot be run exactly in table T: ...". */
  readonly refused?: string;
}

/** `why` completes "cannot be run exactly in table T: ...". */
export type Lowered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export interface LowerContext extends RuleContext {
  /** Hooks from which the rule's chain can be reached. */
  readonly reachableFrom: readonly Hook[];
  /** Registers a state object for this rule and returns its index. */
  addState(state: StateObject): number;
  addLog(log: LogSpec): number;
  /** Registers an effect; equal ones share a number. */
  addEffect(effect: Effect): number;
  /** Has the kernel asked before the table runs; true: it said yes. Undefined when the table has as many questions as it can. */
  ask(question: Question): Expr | undefined;
  /**
   * Has the kernel asked when a packet gets to this match, and only then, whatever answering does; returns the question's number for
   * a `staged` test. Never shared: each rule has a match of its own.
   */
  askHere(question: Question): number;
  /** What the machine has that rules name; absent where no machine was asked. */
  readonly objects?: KernelObjects;
}
