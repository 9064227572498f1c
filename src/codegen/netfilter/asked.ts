/**
 * The kernel's answers (policy/question.ts) on their way into a hook's program: a map from the address of the sk_buff to the answers.
 *
 *     chain of our nft table     first rule       bf_ask        enters the packet, all answers no
 *     on the same hook           rule n           question, then bf_answer: sets its bit
 *     our program                on entry         takes the answers; none: nobody was asked, drop
 *
 * Entries stay, used up, since the kernel uses its sk_buffs again and again: finding one costs a third of inserting and deleting it. When
 * the map is full the entry goes that was not looked up for longest (LRU); a packet between its questions and its program is among the youngest.
 */

import { add, at, call, exit, jeq, jne, lddw, ldx, mov, or, st, stx } from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R6, R7, R10 } from '../../bpf/instruction.ts';
import type { MapSpec, ProgramSpec } from '../../bpf/program.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Expr, TablePolicy } from '../../policy/ir.ts';
import { differentRules } from '../../policy/policy-columns.ts';
import { ANSWER_WORDS, answerPlace, answersIn } from '../../policy/question.ts';
import { MAP_NAMES } from '../compiled.ts';
import { type HookContext, loadSkb, releaseScratch } from './context.ts';
import { HELPER, MAX_SLOTS, STACK, slotOffset } from './layout.ts';

/** u64: 1 from when the packet has been entered until its answers are taken; then the words of answers. */
const WORDS_AT = 8;
const ENTRY_BYTES = WORDS_AT + ANSWER_WORDS.length * 8;
/** More than there are sk_buffs in use at once, as a rule; then there is an entry for each. */
const ENTRIES = 16_384;

export const ASKED_MAP: MapSpec = {
  name: MAP_NAMES.asked,
  type: 'lru_hash',
  keySize: 8,
  valueSize: ENTRY_BYTES,
  maxEntries: ENTRIES,
};

/** The entry of a packet that has these answers (bit n: answer n), as the chain makes it. */
export function askedEntry(answers: bigint): Uint8Array {
  const entry = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(entry.buffer);
  view.setBigUint64(0, 1n, true);
  for (const [word] of ANSWER_WORDS.entries()) {
    view.setBigUint64(WORDS_AT + word * 8, BigInt.asUintN(64, answers >> BigInt(word * 64)), true);
  }
  return entry;
}

/** Numbers of the questions that the given chains (indexes) depend on, ascending. */
export function answersNeeded(policy: TablePolicy, chains: Iterable<number>): readonly number[] {
  const found = new Set<number>();
  for (const chain of chains) {
    for (const { conditions } of differentRules(policy.chains[chain]!)) {
      for (const condition of conditions) {
        if (condition.kind === 'stateful' || !asksKernel(condition.expr)) continue;
        for (const answer of answersIn(condition.expr)) found.add(answer);
      }
    }
  }
  return [...found].sort((a, b) => a - b);
}

/** False for plain tests of other fields, which nearly all conditions are. */
function asksKernel(expr: Expr): boolean {
  return expr.kind !== 'test' || (ANSWER_WORDS as readonly FieldName[]).includes(expr.field);
}

function answerWords(answers: readonly number[]): readonly number[] {
  return [...new Set(answers.map((number) => answerPlace(number).word))];
}

/** How many return slots a program has left: the words of answers that it keeps take the place of the last ones. */
export function slotsBeside(answers: readonly number[]): number {
  return MAX_SLOTS - Math.max(0, ...answerWords(answers).map((word) => word + 1));
}

/** `taken`: return slots that are given up for something else. */
function wordOffset(word: number, taken = 0): number {
  return slotOffset(MAX_SLOTS - 1 - word - taken).exact;
}

/** The words that a program keeps for these answers, and where on its stack. */
export function answerWordPlaces(
  { slotsForScans }: Pick<HookContext, 'slotsForScans'>,
  answers: readonly number[],
): readonly { readonly word: number; readonly offset: number }[] {
  return answerWords(answers).map((word) => ({ word, offset: wordOffset(word, slotsForScans) }));
}

/** r2 = the key: the address in `skb`, stored on the stack. */
function storeKey(skb: number): readonly CodeItem[] {
  return [stx.dw(R10, STACK.key, skb), mov.reg(R2, R10), add.imm(R2, STACK.key)];
}

/** Takes the packet's answers onto the stack; on to `unasked` when nobody was asked about it. Uses r0..r7. */
export function takeAnswers(ctx: HookContext, answers: readonly number[], unasked: Label): void {
  if (answers.length === 0) return;
  const { out } = ctx;
  out.emit(
    loadSkb(ctx, R7),
    ...storeKey(R7),
    lddw.map(R1, MAP_NAMES.asked),
    call.helper(HELPER.mapLookup),
    jeq.imm(R0, 0, unasked),
    // What an earlier packet in the same sk_buff was told must not speak for this one.
    ldx.dw(R1, R0, 0),
    jeq.imm(R1, 0, unasked),
    st.dw(R0, 0, 0),
  );
  for (const word of answerWords(answers)) {
    out.emit(ldx.dw(R1, R0, WORDS_AT + word * 8), stx.dw(R10, wordOffset(word, ctx.slotsForScans), R1));
  }
  releaseScratch(ctx, STACK.key);
}

/** r1 = a word of answers. */
export function loadAnswers(word: number): (ctx: HookContext) => void {
  return ({ out, slotsForScans }) => out.emit(ldx.dw(R1, R10, wordOffset(word, slotsForScans)));
}

/** r6 = address of the packet's sk_buff, in a socket filter. */
const PACKET: readonly CodeItem[] = [call.kfunc('bpf_cast_to_kern_ctx'), mov.reg(R6, R0)];

/** Where askProgram makes an entry, below the key. */
const FRESH_ENTRY = -STACK.key + ENTRY_BYTES;

/** The entry of a packet whose answers are all no, written to `offset` behind `base`. */
function freshEntry(base: number, offset: number): readonly CodeItem[] {
  return [st.dw(base, offset, 1), ...ANSWER_WORDS.map((_, word) => st.dw(base, offset + WORDS_AT + word * 8, 0))];
}

/** Enters a packet, all its answers being no. Whether it matches is of no consequence. */
export function askProgram(): ProgramSpec {
  return buildProgram('bf_ask', 'socket_filter', [
    ...PACKET,
    ...storeKey(R6),
    lddw.map(R1, MAP_NAMES.asked),
    call.helper(HELPER.mapLookup),
    jeq.imm(R0, 0, 'new'),
    ...freshEntry(R0, 0),
    exit(),
    at('new'),
    ...freshEntry(R10, -FRESH_ENTRY),
    ...storeKey(R6),
    mov.reg(R3, R10),
    add.imm(R3, -FRESH_ENTRY),
    lddw.map(R1, MAP_NAMES.asked),
    mov.imm(R4, 0),
    call.helper(HELPER.mapUpdate),
    exit(),
  ]);
}

/** Notes that the answer to question `number` is yes. */
export function answerProgram(number: number): ProgramSpec {
  const { word, bit } = answerPlace(number);
  return buildProgram('bf_answer', 'socket_filter', [
    ...PACKET,
    ...storeKey(R6),
    lddw.map(R1, MAP_NAMES.asked),
    call.helper(HELPER.mapLookup),
    jne.imm(R0, 0, 'entered'),
    exit(),
    at('entered'),
    ldx.dw(R1, R0, WORDS_AT + word * 8),
    lddw.imm(R2, 1n << BigInt(bit)),
    or.reg(R1, R2),
    stx.dw(R0, WORDS_AT + word * 8, R1),
    mov.imm(R0, 1),
    exit(),
  ]);
}
