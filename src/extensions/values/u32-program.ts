/** What the u32 match tests: `location = value,...` joined by `&&`, a location being a number and operations on it. */

import type { ValueType } from '../contract.ts';
import { formatHex } from './integer.ts';
import { bad, good, scanUnsigned, U32_MAX, wrongKind } from './numbers.ts';
import { quoteAlways } from './text.ts';

export type U32Operator = '&' | '<<' | '>>' | '@';

/** One test: the four bytes at `start`, changed by the operations in turn, are in one of the ranges. */
export interface U32Test {
  readonly start: bigint;
  readonly operations: readonly { readonly operator: U32Operator; readonly operand: bigint }[];
  /** Both ends belong to a range; one that ends before it begins holds nothing. */
  readonly ranges: readonly { readonly min: bigint; readonly max: bigint }[];
}

/** XT_U32_MAXSIZE: tests, numbers of a location (so one operation less), and ranges of a test. */
const MOST = 10;

const TOKEN = /[ \t\n\v\f\r]*(&&|<<|>>|[&@=,:]|\+?\d[\dA-Fa-fxX]*|$)/y;

/** Kept as the text that iptables-save prints; `readU32` takes it apart. */
export const u32Program: ValueType = {
  words: 1,
  parse([text = '']) {
    const tests = readU32(text);
    return typeof tests === 'string' ? bad(tests) : good({ kind: 'text', text: formatU32(tests) });
  },
  print: (value) => [value.kind === 'text' ? quoteAlways(value.text) : wrongKind(value)],
};

/** The tests of a program, or a sentence about what is wrong with it. */
export function readU32(text: string): readonly U32Test[] | string {
  const tokens = tokenize(text);
  if (typeof tokens === 'string') return tokens;
  let at = 0;
  const next = (): string => tokens[at++] ?? '';
  const tests: U32Test[] = [];
  for (;;) {
    if (tests.length === MOST) return `more than ${MOST} tests`;
    const test = readTest(next);
    if (typeof test === 'string') return test;
    tests.push(test.test);
    if (test.end === '') return tests;
  }
}

/** Tokens up to the end; the end itself is an empty one. */
function tokenize(text: string): readonly string[] | string {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) return `"${text.slice(start).trim()}" cannot be read`;
    tokens.push(found[1] ?? '');
  }
  return tokens;
}

function readTest(next: () => string): { readonly test: U32Test; readonly end: string } | string {
  const start = readNumber(next());
  if (start === undefined) return 'a test must begin with the number of a byte';
  const operations: { operator: U32Operator; operand: bigint }[] = [];
  let token = next();
  while (isOperator(token)) {
    const operand = readNumber(next());
    if (operand === undefined) return `a number is missing after "${token}"`;
    if (operations.length + 1 === MOST) return `more than ${MOST - 1} operations in one test`;
    if ((token === '<<' || token === '>>') && operand > 31n) return `a shift by ${operand} bits; there are 32`;
    operations.push({ operator: token, operand });
    token = next();
  }
  if (token !== '=') return token === '' ? 'a test needs "=" and a value' : `"${token}" stands where "=" should`;
  const ranges: { min: bigint; max: bigint }[] = [];
  do {
    const min = readNumber(next());
    if (min === undefined) return 'a number from 0 to 0xffffffff is missing among the values';
    token = next();
    let max: bigint | undefined = min;
    if (token === ':') {
      max = readNumber(next());
      token = next();
    }
    if (max === undefined) return 'a number from 0 to 0xffffffff is missing after ":"';
    if (ranges.length === MOST) return `more than ${MOST} values in one test`;
    ranges.push({ min, max });
  } while (token === ',');
  if (token !== '' && token !== '&&') return `"${token}" stands where "," or "&&" should`;
  return { test: { start, operations, ranges }, end: token };
}

function isOperator(token: string): token is U32Operator {
  return token === '&' || token === '<<' || token === '>>' || token === '@';
}

function readNumber(token: string): bigint | undefined {
  const scanned = scanUnsigned(token);
  return scanned !== undefined && scanned.length === token.length && scanned.value <= U32_MAX
    ? scanned.value
    : undefined;
}

/** As iptables-save prints it. */
export function formatU32(tests: readonly U32Test[]): string {
  return tests.map(formatTest).join('&&');
}

function formatTest({ start, operations, ranges }: U32Test): string {
  const location = operations.map(({ operator, operand }) => `${operator}${formatHex(operand)}`).join('');
  const values = ranges.map(({ min, max }) => (min === max ? formatHex(min) : `${formatHex(min)}:${formatHex(max)}`));
  return `${formatHex(start)}${location}=${values.join(',')}`;
}
