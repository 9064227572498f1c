import { diagnostic } from '../../diagnostics/diagnostic.ts';
import type { Hook } from '../../packet/netfilter.ts';
import { XFRM_DEPTH, type XfrmDirection } from '../../policy/environment-fields.ts';
import { all, any, between, conditions, equals, invertIf, masked, not, require, TRUE } from '../../policy/expr.ts';
import type { Expr } from '../../policy/ir.ts';
import type { OptionUse } from '../../rules/model.ts';
import { asking } from '../asking.ts';
import { elementOption, type MatchExtension, type OptionMap, type OptionSpec, type RuleContext } from '../contract.ts';
import { POLICY_MATCH as XT_POLICY_MATCH } from '../layouts/policy.ts';
import { always, given, lowered, printOptions, withOption } from '../options.ts';
import { layoutQuestion } from '../staging.ts';
import { flag } from '../values/flag.ts';
import { hostMask } from '../values/host-mask.ts';
import { integer } from '../values/integer.ts';
import { keyword } from '../values/keyword.ts';
import { U32_MAX } from '../values/numbers.ts';
import { securityProtocol } from '../values/security-protocol.ts';

/** XT_POLICY_MAX_ELEM */
const MOST_ELEMENTS = 4;

/** What one element can be asked, in the order of printing. */
const ELEMENT: readonly OptionSpec[] = [
  { name: 'reqid', value: integer(0n, U32_MAX), syntax: 'n', invertible: true },
  { name: 'spi', value: integer(0n, U32_MAX, { base: 16 }), syntax: 'n', invertible: true },
  { name: 'proto', value: securityProtocol, syntax: 'ah, esp or ipcomp', invertible: true },
  { name: 'mode', value: keyword(['transport', 'tunnel']), syntax: 'transport or tunnel', invertible: true },
  { name: 'tunnel-dst', value: hostMask, syntax: 'address[/mask]', invertible: true },
  { name: 'tunnel-src', value: hostMask, syntax: 'address[/mask]', invertible: true },
];

const WHOLE: readonly OptionSpec[] = [
  { name: 'dir', value: keyword(['in', 'out']), syntax: 'in or out', mandatory: true },
  { name: 'pol', value: keyword(['none', 'ipsec']), syntax: 'none or ipsec', default: { kind: 'text', text: 'ipsec' } },
  { name: 'strict', value: flag },
];

const NEXT: OptionSpec = { name: 'next', value: flag, requires: ['strict'] };

const IN: readonly Hook[] = ['PREROUTING', 'INPUT', 'FORWARD'];
const OUT: readonly Hook[] = ['FORWARD', 'OUTPUT', 'POSTROUTING'];

/** xt_policy. */
export const policy: MatchExtension = {
  kind: 'match',
  name: 'policy',
  summary: 'The IPsec policy that a packet was or will be handled by, and the transformations it is made of.',
  notes: [
    'With `--strict` the whole policy is compared, element by element; `--next` begins another element, of which there may be four.',
    'With `--pol none` the options of elements are ignored, and not printed.',
  ],
  families: ['ipv4', 'ipv6'],
  layouts: XT_POLICY_MATCH,
  options: [...WHOLE, ...ELEMENT, NEXT],
  elements: { next: 'next', options: ELEMENT.map(({ name }) => name), most: MOST_ELEMENTS },
  hooksFor: (options) => (given(options, 'dir', 'text')?.text === 'out' ? OUT : IN),
  check(options, ctx) {
    const why = problem(options);
    return why === undefined ? [] : [diagnostic('bad-combination', ctx.span, { what: 'match "policy"', why })];
  },
  lower(options, ctx) {
    const elements = policyElements(options);
    const severalIn = elements.length > 1 && given(options, 'dir', 'text')?.text === 'in';
    // Kernels compare several elements of an incoming policy in different ways, so this one is asked.
    if (severalIn) return asking(ctx, layoutQuestion('policy', XT_POLICY_MATCH, options, ctx));
    return lowered(conditions(require(policyExpr(options, elements))));
  },
  print(options, ctx) {
    const whole = printOptions(WHOLE, withDefaults(options), ctx);
    if (asksForNone(options)) return whole;
    return [...whole, ...policyElements(options).flatMap((element, at) => elementWords(element, at, ctx))];
  },
};

/** policy_mt: what the packet was decrypted by (`in`), or will be encrypted by (`out`). */
function policyExpr(options: OptionMap, elements: readonly OptionMap[]): Expr {
  const direction: XfrmDirection = always(options, 'dir', 'text').text === 'in' ? 'in' : 'out';
  const some = direction === 'in' ? equals('xfrm.in.present', 1) : not(equals('xfrm.out.depth', 0));
  if (asksForNone(options)) return not(some);
  const depth = `xfrm.${direction}.depth` as const;
  if (options['strict'] !== undefined)
    return all(
      some,
      equals(depth, elements.length),
      ...elements.map((element, at) => stateExpr(element, direction, at as Place)),
    );
  const [element = {}] = elements;
  const places = Array.from({ length: XFRM_DEPTH }, (_, at) => at as Place);
  return all(some, any(...places.map((at) => all(between(depth, at + 1, 255), stateExpr(element, direction, at)))));
}

type Place = 0 | 1 | 2 | 3 | 4 | 5;

/** match_xfrm_state */
function stateExpr(element: OptionMap, direction: XfrmDirection, at: Place): Expr {
  const list: Expr[] = [];
  for (const [name, property] of [
    ['tunnel-src', 'saddr'],
    ['tunnel-dst', 'daddr'],
  ] as const) {
    const use = given(element, name, 'masked');
    if (use === undefined) continue;
    list.push(invertIf(use.invert, masked(`xfrm.${direction}.${at}.${property}`, use.value & use.mask, use.mask)));
  }
  for (const name of ['proto', 'spi', 'reqid'] as const) {
    const use = given(element, name, 'integer');
    if (use !== undefined) list.push(invertIf(use.invert, equals(`xfrm.${direction}.${at}.${name}`, use.value)));
  }
  const mode = given(element, 'mode', 'text');
  if (mode !== undefined)
    list.push(invertIf(mode.invert, equals(`xfrm.${direction}.${at}.mode`, mode.text === 'tunnel' ? 1 : 0)));
  return list.length === 0 ? TRUE : all(...list);
}

/** The options of each element under their plain names; a rule without any has one empty element. */
export function policyElements(options: OptionMap): readonly OptionMap[] {
  const elements: OptionMap[] = [];
  for (let at = 0; at === 0 || options[elementOption('next', at - 1)] !== undefined; at++) {
    const element: Record<string, OptionUse> = {};
    for (const { name } of ELEMENT) {
      const use = options[elementOption(name, at)];
      if (use !== undefined) element[name] = use;
    }
    elements.push(element);
  }
  return elements;
}

function elementWords(element: OptionMap, at: number, ctx: RuleContext): readonly string[] {
  const words = printOptions(ELEMENT, element, ctx);
  return at === 0 ? words : ['--next', ...words];
}

function problem(options: OptionMap): string | undefined {
  const strict = options['strict'] !== undefined;
  if (asksForNone(options)) return strict ? '--strict and --pol none contradict each other' : undefined;
  for (const [at, element] of policyElements(options).entries()) {
    if (strict && Object.keys(element).length === 0) return `element ${at + 1} of the policy asks for nothing`;
    const tunnel = element['tunnel-src'] !== undefined || element['tunnel-dst'] !== undefined;
    const mode = given(element, 'mode', 'text');
    if (tunnel && (mode?.text !== 'tunnel' || mode.invert)) {
      return '--tunnel-src and --tunnel-dst need --mode tunnel';
    }
  }
  return undefined;
}

function asksForNone(options: OptionMap): boolean {
  return given(options, 'pol', 'text')?.text === 'none';
}

function withDefaults(options: OptionMap): OptionMap {
  return options['pol'] === undefined ? withOption(options, 'pol', { kind: 'text', text: 'ipsec' }) : options;
}
