/**
 * The options of matches and targets, driven by their tables: one option as it is read, and the checks that need all of
 * them (xtables_option_parse and xtables_options_fcheck).
 */

import {
  type AccountLookup,
  elementOption,
  type OptionMap,
  type OptionSpec,
  type RuleContext,
} from '../../extensions/contract.ts';
import { protocolName } from '../../packet/protocols.ts';
import type { IpPart, OptionUse } from '../../rules/model.ts';
import { type ExtensionUse, type GivenUse, givenOption } from './extension-use.ts';
import type { Report } from './report.ts';
import type { Word } from './words.ts';

export interface GivenOption {
  readonly use: ExtensionUse;
  readonly spec: OptionSpec;
  /** The word that holds the option, as it was written. */
  readonly word: Word;
  readonly values: readonly Word[];
  readonly invert: Word | undefined;
}

export interface OptionContext {
  readonly family: RuleContext['family'];
  readonly accounts: AccountLookup | undefined;
  readonly report: Report;
}

/** Adds one option to its match or target, or reports why not. `ip` is the ip part as given so far. */
export function applyOption({ use, spec, word, values, invert }: GivenOption, ip: IpPart, ctx: OptionContext): void {
  const { family, accounts, report } = ctx;
  const option = `--${spec.name}`;
  if (invert !== undefined && spec.invertible !== true) {
    use.failed = true;
    report.add('cannot-invert', invert, { option });
    return;
  }
  const name = nameInUse(use, spec);
  if (name === undefined) {
    use.failed = true;
    const why = `there may be at most ${use.extension.elements?.most} elements`;
    report.add('bad-combination', word, { what: called(use), why });
    return;
  }
  const earlier = givenOption(use, name);
  if (earlier !== undefined) {
    report.add('repeated-option', word, { option }, [{ message: 'first given here', span: report.span(earlier.word) }]);
    return;
  }
  const texts = values.map((value) => value.text);
  const valueContext =
    accounts === undefined ? { family, option: spec.name, ip } : { family, option: spec.name, ip, accounts };
  const result = spec.value.parse(texts, valueContext);
  if (!result.ok) {
    use.failed = true;
    const blamed = values[result.word ?? 0];
    // Nothing behind `--option=` leaves nothing to point at but the option.
    const place = blamed === undefined || blamed.start === blamed.end ? word : blamed;
    report.add('bad-value', place, { option, why: result.message });
    return;
  }
  const end = values.at(-1)?.end ?? word.end;
  const span = report.span({ start: (invert ?? word).start, end: Math.max(end, word.end) });
  use.given.push({
    name,
    option: Object.freeze({ value: result.value, invert: invert !== undefined, span }),
    word,
  });
}

/** The name under which an option goes into the rule; undefined: it would begin one element too many. */
function nameInUse({ extension: { elements }, given }: ExtensionUse, spec: OptionSpec): string | undefined {
  if (elements === undefined) return spec.name;
  const begun = given.filter(({ name }) => name.split('#')[0] === elements.next).length;
  if (spec.name === elements.next) {
    return begun + 1 < elements.most ? elementOption(spec.name, begun) : undefined;
  }
  return elements.options.includes(spec.name) ? elementOption(spec.name, begun) : spec.name;
}

/** Checks a match or target whose rule is complete and returns its options, defaults filled in and aliases folded. */
export function finishOptions(use: ExtensionUse, rule: RuleContext, report: Report): OptionMap {
  const { extension, given, word } = use;
  if (use.failed) return {};
  const before = report.found.length;
  const excluded: (readonly [GivenUse, GivenUse])[] = [];
  for (const spec of extension.options) {
    const own = givenOption(use, spec.name);
    if (own === undefined) {
      if (spec.mandatory === true) report.add('missing-option', word, { what: called(use), option: spec.name });
      continue;
    }
    for (const name of spec.excludes ?? []) {
      const other = givenOption(use, name);
      if (other !== undefined) excluded.push(own.word.start < other.word.start ? [own, other] : [other, own]);
    }
    for (const name of spec.requires ?? []) {
      if (givenOption(use, name) === undefined)
        report.add('option-requires', own.word, { option: spec.name, other: name });
    }
  }
  reportExclusions(excluded, report);
  if (extension.protocols !== undefined && !hasProtocol(extension.protocols, rule.ip)) {
    const protocols = extension.protocols.map((number) => `-p ${protocolName(number) ?? number}`).join(' or ');
    report.add('protocol-required', word, { what: called(use), protocols });
  }
  const options: Record<string, OptionUse> = {};
  for (const { name, option } of given) options[name] = option;
  for (const spec of extension.options) {
    if (spec.default !== undefined && options[spec.name] === undefined) {
      options[spec.name] = Object.freeze({ value: spec.default, invert: false });
    }
  }
  if (report.found.length > before) return options;
  const normal = Object.freeze(extension.normalise?.(options, rule) ?? options);
  const problems = extension.check?.(normal, { ...rule, span: report.span(word) }) ?? [];
  report.found.push(...problems);
  return normal;
}

/** Two options that exclude each other are one fault, blamed on the later one, whichever of them declares it. */
function reportExclusions(pairs: readonly (readonly [GivenUse, GivenUse])[], report: Report): void {
  for (const [at, [first, second]] of pairs.entries()) {
    if (pairs.findIndex((pair) => pair[0] === first && pair[1] === second) !== at) continue;
    report.add('option-excludes', second.word, { option: second.name, other: first.name }, [
      { message: `--${first.name} is given here`, span: report.span(first.word) },
    ]);
  }
}

function called({ extension }: ExtensionUse): string {
  return `${extension.kind} "${extension.name}"`;
}

function hasProtocol(protocols: readonly number[], ip: IpPart): boolean {
  return ip.protocol !== undefined && !ip.protocol.invert && protocols.includes(ip.protocol.value);
}
