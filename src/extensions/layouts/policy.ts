/** The structure of the policy match: up to four elements. */

import type { OptionUse } from '../../rules/model.ts';
import { elementOption, type OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import { custom, keyword, network, number, plain } from './fields.ts';
import { bit, LayoutError, read, u8, u16, u32, write, type XtContext, type XtField, type XtLayout } from './layout.ts';

const ELEMENT = 76;
const MOST_ELEMENTS = 4;
/** Bits of struct xt_policy_spec. */
const SPEC = { saddr: 1, daddr: 2, proto: 4, mode: 8, spi: 16, reqid: 32 } as const;
const [POLICY_FLAGS, POLICY_LENGTH] = [u16(MOST_ELEMENTS * ELEMENT), u16(MOST_ELEMENTS * ELEMENT + 2)];

function elementFields(at: number): readonly XtField[] {
  const spec = (mask: number) => ({ present: bit(u8(at + 74), mask), invert: bit(u8(at + 75), mask) });
  return [
    network('tunnel-src', at, at + 16, spec(SPEC.saddr)),
    network('tunnel-dst', at + 32, at + 48, spec(SPEC.daddr)),
    number('spi', u32(at + 64), spec(SPEC.spi)),
    number('reqid', u32(at + 68), spec(SPEC.reqid)),
    number('proto', u8(at + 72), spec(SPEC.proto)),
    keyword('mode', u8(at + 73), { transport: 0, tunnel: 1 }, spec(SPEC.mode)),
  ];
}

/** XT_POLICY_MATCH_* */
const POLICY = { IN: 1, OUT: 2, NONE: 4, STRICT: 8 } as const;

const NAMES = ['reqid', 'spi', 'proto', 'mode', 'tunnel-dst', 'tunnel-src'] as const;

/** The options of each element under their plain names. */
function elementsOf(options: OptionMap): readonly OptionMap[] {
  const elements: OptionMap[] = [];
  for (let at = 0; at === 0 || options[elementOption('next', at - 1)] !== undefined; at++) {
    const uses = NAMES.flatMap((name) => {
      const use = options[elementOption(name, at)];
      return use === undefined ? [] : [[name, use] as const];
    });
    elements.push(Object.fromEntries(uses));
  }
  return elements;
}

function putPolicy(options: OptionMap, info: DataView, ctx: XtContext): void {
  const none = given(options, 'pol', 'text')?.text === 'none';
  const flags =
    (given(options, 'dir', 'text')?.text === 'in' ? POLICY.IN : POLICY.OUT) |
    (none ? POLICY.NONE : 0) |
    (options['strict'] === undefined ? 0 : POLICY.STRICT);
  write(info, POLICY_FLAGS, BigInt(flags));
  const elements = elementsOf(options);
  if (elements.length > MOST_ELEMENTS) throw new LayoutError(`${elements.length} elements`);
  write(info, POLICY_LENGTH, BigInt(elements.length));
  for (const [at, element] of elements.entries()) {
    for (const field of elementFields(ELEMENT * at)) field.put(element, info, ctx);
  }
}

function getPolicy(info: DataView, ctx: XtContext): OptionMap {
  const flags = Number(read(info, POLICY_FLAGS));
  const count = Number(read(info, POLICY_LENGTH));
  if (count > MOST_ELEMENTS) throw new LayoutError(`${count} elements`);
  const result: Record<string, OptionUse> = {
    dir: plain({ kind: 'text', text: (flags & POLICY.IN) === 0 ? 'out' : 'in' }),
    pol: plain({ kind: 'text', text: (flags & POLICY.NONE) === 0 ? 'ipsec' : 'none' }),
  };
  if ((flags & POLICY.STRICT) !== 0) result['strict'] = plain({ kind: 'flag' });
  for (let at = 0; at < count; at++) {
    for (const field of elementFields(ELEMENT * at)) {
      for (const [name, use] of Object.entries(field.get(info, ctx))) result[elementOption(name, at)] = use;
    }
    if (at + 1 < count) result[elementOption('next', at)] = plain({ kind: 'flag' });
  }
  return result;
}

/** struct xt_policy_info */
export const POLICY_MATCH: readonly XtLayout[] = [{ revision: 0, size: 312, fields: [custom(putPolicy, getPolicy)] }];
