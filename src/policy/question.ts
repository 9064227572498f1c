/**
 * Questions that only the kernel can answer: what an ipset holds, which system a SYN looks like, whether there is a socket.
 *
 * The kernel is asked about every packet just before the program of the table runs (a chain of our nft table on the same hook),
 * and its answers are one bit each in the fields `asked.0` to `asked.3`. So only what has no effect may be asked: the packet need not
 * be one that the rule would have seen. Everything here is plain data; how a question is put to the kernel is decided in kernel/.
 */

import { masked } from './expr.ts';
import type { FieldName } from './fields.ts';
import type { Expr } from './ir.ts';

export type Question =
  | SetQuestion
  /** xt_osf without its log. `ttl` as in its option. */
  | { readonly kind: 'osf'; readonly genre: string; readonly invert: boolean; readonly ttl?: number }
  /** xt_socket. `restoreMark`: a packet with a socket takes its mark; only where the question is staged (staged.ts). */
  | {
      readonly kind: 'socket';
      readonly transparent: boolean;
      readonly nowildcard: boolean;
      readonly restoreMark?: true;
    }
  /** A pinned program (xt_bpf). */
  | { readonly kind: 'program'; readonly path: string }
  /** A classic program (xt_bpf): struct sock_filter by struct sock_filter, as iptables writes them. */
  | { readonly kind: 'classic'; readonly instructions: readonly ClassicStep[] }
  /** Another match without effects, as the structure that iptables would hand over. */
  | {
      readonly kind: 'extension';
      readonly name: string;
      readonly revision: number;
      readonly info: readonly number[];
      /** The protocol of its rule, where the match insists on one. */
      readonly protocol?: number;
    }
  | RateQuestion
  /** xt_rpfilter, which the kernel answers in tables of certain names only: another chain asks, and tells so. */
  | { readonly kind: 'reversePath'; readonly flags: number }
  | { readonly kind: 'reversePathAsked' };

/** code, jt, jf, k */
export type ClassicStep = readonly [code: number, jt: number, jf: number, k: number];

/** xt_rateest: rates of one estimator and of another, or numbers, in bytes and packets a second. */
export interface RateQuestion {
  readonly kind: 'rateest';
  readonly estimators: readonly [string] | readonly [string, string];
  readonly compare: 'lt' | 'gt' | 'eq';
  readonly delta: boolean;
  readonly bps?: readonly [first: number, second: number];
  readonly pps?: readonly [first: number, second: number];
}

/** xt_set. */
export interface SetQuestion {
  readonly kind: 'set';
  readonly name: string;
  /** For each dimension: where the packet's address or port is taken from. */
  readonly sides: readonly ('src' | 'dst')[];
  readonly returnNomatch: boolean;
  /** A match counts in the set (in the sets of a list:set); only where the question is staged. Absent: never. */
  readonly counts?: { readonly counters: boolean; readonly subcounters: boolean };
  /** Comparison of the matching element's counters, in a set that has them. */
  readonly packets?: CounterComparison;
  readonly bytes?: CounterComparison;
}

export interface CounterComparison {
  readonly how: 'eq' | 'ne' | 'lt' | 'gt';
  readonly value: bigint;
}

export const ANSWER_WORDS = ['asked.0', 'asked.1', 'asked.2', 'asked.3'] as const satisfies readonly FieldName[];
const WORD_BITS = 64;
/** How many different questions a table can ask. */
export const MAX_QUESTIONS = ANSWER_WORDS.length * WORD_BITS;

/** The bit of an answer in its word. */
export function answerPlace(number: number): { readonly word: number; readonly bit: number } {
  return { word: Math.floor(number / WORD_BITS), bit: number % WORD_BITS };
}

/** The kernel said yes to question `number`. */
export function answeredYes(number: number): Expr {
  const { word, bit } = answerPlace(number);
  const field = ANSWER_WORDS[word];
  if (field === undefined) throw new RangeError(`there is no answer ${number}`);
  return masked(field, 1n << BigInt(bit), 1n << BigInt(bit));
}

/** The number of a question in a table's list; it is added unless it is there. Undefined when the list is full. */
export function addQuestion(list: Question[], question: Question): number | undefined {
  const key = questionKey(question);
  const known = list.findIndex((other) => questionKey(other) === key);
  if (known !== -1) return known;
  return list.length < MAX_QUESTIONS ? list.push(Object.freeze(question)) - 1 : undefined;
}

function questionKey(question: Question): string {
  return JSON.stringify(question, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

/** Numbers of the answers that an expression looks at. */
export function answersIn(expr: Expr): readonly number[] {
  switch (expr.kind) {
    case 'test': {
      const word = (ANSWER_WORDS as readonly FieldName[]).indexOf(expr.field);
      if (word === -1) return [];
      const mask = expr.mask ?? (1n << BigInt(WORD_BITS)) - 1n;
      return Array.from({ length: WORD_BITS }, (_, bit) => bit)
        .filter((bit) => ((mask >> BigInt(bit)) & 1n) === 1n)
        .map((bit) => word * WORD_BITS + bit);
    }
    case 'not':
      return answersIn(expr.expr);
    case 'all':
    case 'any':
      return expr.exprs.flatMap(answersIn);
    default:
      return [];
  }
}
