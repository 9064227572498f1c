/** Small tools that extensions share: reading parsed options, printing them, answering their contract. */

import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../diagnostics/source.ts';
import type { Family } from '../packet/netfilter.ts';
import type { OptionUse, OptionValue } from '../rules/model.ts';
import type { Lowered, OptionMap, OptionSpec } from './contract.ts';
import { wrongKind } from './values/numbers.ts';

/** A given option's value with its inversion. */
export type Given<K extends OptionValue['kind']> = Extract<OptionValue, { readonly kind: K }> & {
  readonly invert: boolean;
};

/** The option's value if it was given. Throws if the option carries another kind of value: a fault of the program. */
export function given<K extends OptionValue['kind']>(options: OptionMap, name: string, kind: K): Given<K> | undefined {
  const use = options[name];
  if (use === undefined) return undefined;
  if (use.value.kind !== kind) return wrongKind(use.value);
  return { ...(use.value as Extract<OptionValue, { readonly kind: K }>), invert: use.invert };
}

/** As `given`, for the kind that most rules have. */
export function givenRange(options: OptionMap, name: string): Given<'range'> | undefined {
  const use = options[name];
  if (use === undefined) return undefined;
  const { value, invert } = use;
  return value.kind === 'range' ? { kind: 'range', min: value.min, max: value.max, invert } : wrongKind(value);
}

/** As `given`, for an option that is always there (mandatory, or with a default). */
export function always<K extends OptionValue['kind']>(options: OptionMap, name: string, kind: K): Given<K> {
  const value = given(options, name, kind);
  if (value === undefined) throw new TypeError(`option "${name}" is missing`);
  return value;
}

/** Options without those names. */
export function without(options: OptionMap, ...names: readonly string[]): OptionMap {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

/** Options with one more (or another) value; place and inversion are those of `like`, if it is given. */
export function withOption(options: OptionMap, name: string, value: OptionValue, like?: OptionUse): OptionMap {
  const span = like?.span === undefined ? {} : { span: like.span };
  return { ...options, [name]: { value, invert: like?.invert ?? false, ...span } };
}

/** The words iptables-save prints for the given options: `! --name value`, in table order. */
export function printOptions(
  specs: readonly OptionSpec[],
  options: OptionMap,
  ctx: { readonly family: Family },
): readonly string[] {
  return specs.flatMap((spec) => {
    const use = options[spec.name];
    if (use === undefined) return [];
    return [...(use.invert ? ['!'] : []), `--${spec.name}`, ...spec.value.print(use.value, ctx)];
  });
}

/** One error about options that do not go together; `what` is as in `match "tcp"`. */
export function refuse(what: string, why: string, span: Span | undefined): readonly Diagnostic[] {
  return [diagnostic('bad-combination', span, { what, why })];
}

/** An error unless at least one of the options is there. */
export function requireOneOf(
  what: string,
  names: readonly string[],
  options: OptionMap,
  span: Span | undefined,
): readonly Diagnostic[] {
  if (names.some((name) => options[name] !== undefined)) return [];
  return refuse(what, `at least one of ${names.map((name) => `--${name}`).join(', ')} is needed`, span);
}

export function lowered<T>(value: T): Lowered<T> {
  return { ok: true, value };
}

/** `why` completes "cannot be run exactly in table T: ...". */
export function cannot(why: string): { readonly ok: false; readonly why: string } {
  return { ok: false, why };
}
