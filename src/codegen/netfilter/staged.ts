/**
 * Packets that are suspended where only the kernel can go on (policy/staged.ts): what is needed to continue lies in a map under the
 * address of the sk_buff, and the program accepts.
 *
 *     our program                 a rule comes to question 7: enters the packet (place, question, ways back, marks), accepts
 *     chain of our nft table      bf_waiting: somebody waits; bf_question 7, the kernel's own match, bf_yes
 *     bf_stage, same priority     nobody waits: accept; else calls our program, which takes the entry out and goes on at the place;
 *                                 it may suspend the packet again, for the next such pair
 *
 * A packet that was not asked about is dropped, and so is one that would be suspended more often than there are pairs. An entry
 * that bf_stage has not marked is what an earlier packet in the same sk_buff left.
 */

import {
  add,
  and,
  at,
  atomic,
  call,
  div,
  exit,
  ja,
  jeq,
  jge,
  jle,
  jne,
  lddw,
  ldx,
  mov,
  or,
  st,
  stx,
  sub,
} from '../../bpf/assembly.ts';
import { buildProgram } from '../../bpf/builder.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R10 } from '../../bpf/instruction.ts';
import type { MapSpec, ProgramSpec } from '../../bpf/program.ts';
import { MAP_NAMES } from '../compiled.ts';
import { answerWordPlaces } from './asked.ts';
import { callGlobal, type HookContext, loadSkb, releaseScratch } from './context.ts';
import { HELPER, MAX_SLOTS, NF_ACCEPT, NF_DROP, STACK, slotOffset } from './layout.ts';

/** u32 each, words u64. */
const ENTRY = {
  resume: 0,
  question: 4,
  flags: 8,
  count: 12,
  mark: 16,
  entryMark: 20,
  longer: 24,
  /** The lower half of jiffies when it was entered. */
  since: 28,
  words: 32,
  slots: 64,
} as const;
const ENTRY_BYTES = ENTRY.slots + 4 * (MAX_SLOTS + 1);

/** u64: entries, and the second in which old ones were last looked for. */
const COUNT = { entries: 0, forgot: 8, bytes: 16 } as const;

/** In `flags`: the question was put; the answer is yes; the program may go on. */
const FLAG = { asked: 1, yes: 2, resuming: 4 } as const;

/** Packets between two of these programs at the same time: one for each softirq or task. */
const ENTRIES = 4096;

/** The maps of a generation whose programs suspend packets; `programs` of them. */
export function stagedMaps(programs: number): readonly MapSpec[] {
  const one = { type: 'array', keySize: 4, maxEntries: 1 } as const;
  return [
    { name: MAP_NAMES.suspended, type: 'hash', keySize: 8, valueSize: ENTRY_BYTES, maxEntries: ENTRIES },
    { name: MAP_NAMES.suspendedCount, ...one, valueSize: COUNT.bytes },
    { name: MAP_NAMES.newSuspended, ...one, valueSize: ENTRY_BYTES },
    { name: MAP_NAMES.resume, type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: programs },
  ];
}

/** What a program that suspends packets keeps on its stack, in place of return slots. */
export interface StagedCells {
  /** Cell: number of the place to begin at; 0: with the first rule. */
  readonly begin: number;
  /** Cell: not 0 if the answer is yes. */
  readonly answer: number;
  /** Cell: how often the packet has been suspended. */
  readonly count: number;
}

/** Return slots that the cells take. */
export const STAGED_SLOTS = 3;

/** The cells in the `STAGED_SLOTS` slots behind the first `room` ones. */
export function stagedCells(room: number): StagedCells {
  const [begin, answer, count] = [0, 1, 2].map((slot) => slotOffset(room + slot).cell) as [number, number, number];
  return { begin, answer, count };
}

/** The stack cells (32 bits) that a packet takes with it, and where they lie in its entry. */
function carried(ctx: HookContext, slots: number): readonly (readonly [entry: number, cell: number])[] {
  return [
    ...(ctx.simulatesMarks
      ? ([
          [ENTRY.mark, STACK.mark],
          [ENTRY.entryMark, STACK.entryMark],
        ] as const)
      : []),
    ...(ctx.lengthens ? ([[ENTRY.longer, STACK.longer]] as const) : []),
    ...Array.from({ length: slots }, (_, slot) => [ENTRY.slots + 4 * slot, slotOffset(slot).cell] as const),
  ];
}

function storeKey(skb: number): readonly CodeItem[] {
  return [stx.dw(R10, STACK.key, skb), mov.reg(R2, R10), add.imm(R2, STACK.key)];
}

/** r0 = entry of the packet whose sk_buff is in `skb`, or 0. */
function lookUp(skb: number): readonly CodeItem[] {
  return [...storeKey(skb), lddw.map(R1, MAP_NAMES.suspended), call.helper(HELPER.mapLookup)];
}

/** Jumps to `none` if no packet waits. Uses r1. */
function jumpIfNobodyWaits(none: Label): readonly CodeItem[] {
  return [lddw.mapValue(R1, MAP_NAMES.suspendedCount), ldx.dw(R1, R1, COUNT.entries), jeq.imm(R1, 0, none)];
}

function addToCount(difference: 1 | -1): readonly CodeItem[] {
  return [lddw.mapValue(R1, MAP_NAMES.suspendedCount), mov.imm(R2, difference), atomic.add.dw(R1, COUNT.entries, R2)];
}

/** Deletes the entry of the packet in `skb`, which must have one. */
function remove(skb: number): readonly CodeItem[] {
  return [...storeKey(skb), lddw.map(R1, MAP_NAMES.suspended), call.helper(HELPER.mapDelete), ...addToCount(-1)];
}

/**
 * The beginning of a program that suspends packets. A packet that was suspended goes on with what it had then; one that was not
 * asked about goes to `drop`; all others begin, with what `fresh` emits. r7 and r8 are 0 behind it. Uses r0..r8.
 */
export function beginOrResume(
  ctx: HookContext,
  slots: number,
  answers: readonly number[],
  drop: Label,
  fresh: () => void,
): void {
  const { out } = ctx;
  const cells = ctx.staged!.cells;
  const [start, stale, refuse, begun] = ['fresh', 'stale', 'refuse', 'begun'].map((hint) => out.label(hint)) as [
    Label,
    Label,
    Label,
    Label,
  ];
  const flags = (flag: number): readonly CodeItem[] => [ldx.w(R1, R0, ENTRY.flags), and.imm(R1, flag)];
  out.emit(
    loadSkb(ctx, R7),
    ...jumpIfNobodyWaits(start),
    ...lookUp(R7),
    jeq.imm(R0, 0, start),
    ...flags(FLAG.resuming),
    jeq.imm(R1, 0, stale),
    ...flags(FLAG.asked),
    jeq.imm(R1, 0, refuse),
    ...flags(FLAG.yes),
    stx.w(R10, cells.answer, R1),
    ldx.w(R1, R0, ENTRY.count),
    stx.w(R10, cells.count, R1),
    ldx.w(R1, R0, ENTRY.resume),
    stx.w(R10, cells.begin, R1),
    ...carried(ctx, slots).flatMap(([entry, cell]) => [ldx.w(R1, R0, entry), stx.w(R10, cell, R1)]),
    ...answerWordPlaces(ctx, answers).flatMap(({ word, offset }) => [
      ldx.dw(R1, R0, ENTRY.words + 8 * word),
      stx.dw(R10, offset, R1),
    ]),
    ...remove(R7),
    ja(begun),
    at(refuse),
    ...remove(R7),
    ja(drop),
    at(stale),
    ...remove(R7),
    at(start),
  );
  fresh();
  for (const cell of [cells.begin, cells.answer, cells.count]) out.emit(st.w(R10, cell, 0));
  for (let slot = 0; slot < slots; slot++) out.emit(st.w(R10, slotOffset(slot).cell, 1));
  out.emit(at(begun), mov.imm(R7, 0), mov.imm(R8, 0));
  releaseScratch(ctx, STACK.key);
}

/** Says which question a packet waits for; the block is entered by a jump, as that of LOG. */
export function storeQuestion(ctx: HookContext, question: number): void {
  ctx.out.emit(st.w(R10, STACK.logRecord, ctx.staged!.first + question));
}

/**
 * The block in which all rules suspend their packets: enters the packet, with the place in STACK.logReturn. Goes to `accept`; to `failed`
 * when there is no room, or no further program behind this one.
 */
export function emitSuspend(
  ctx: HookContext,
  slots: number,
  answers: readonly number[],
  accept: Label,
  failed: Label,
): void {
  const { cells, count } = ctx.staged!;
  const entered = ctx.out.label('entered');
  ctx.out.emit(
    ldx.w(R1, R10, cells.count),
    jge.imm(R1, count, failed),
    loadSkb(ctx, R7),
    ...enter(R7),
    jeq.imm(R0, 0, entered),
    callGlobal(ctx, 'forget_suspended', 0, emitForget),
    ...enter(R7),
    jne.imm(R0, 0, failed),
    at(entered),
    ...addToCount(1),
    call.helper(HELPER.jiffies),
    mov.reg(R8, R0),
    ...lookUp(R7),
    jeq.imm(R0, 0, failed),
    stx.w(R0, ENTRY.since, R8),
    ldx.w(R1, R10, STACK.logRecord),
    stx.w(R0, ENTRY.question, R1),
    ldx.w(R1, R10, STACK.logReturn.cell),
    stx.w(R0, ENTRY.resume, R1),
    ldx.w(R1, R10, cells.count),
    add.imm(R1, 1),
    stx.w(R0, ENTRY.count, R1),
    ...carried(ctx, slots).flatMap(([entry, cell]) => [ldx.w(R1, R10, cell), stx.w(R0, entry, R1)]),
    ...answerWordPlaces(ctx, answers).flatMap(({ word, offset }) => [
      ldx.dw(R1, R10, offset),
      stx.dw(R0, ENTRY.words + 8 * word, R1),
    ]),
    ja(accept),
  );
}

/** r0 = 0 once the packet in `skb` has an empty entry. */
function enter(skb: number): readonly CodeItem[] {
  return [
    ...storeKey(skb),
    lddw.mapValue(R3, MAP_NAMES.newSuspended),
    lddw.map(R1, MAP_NAMES.suspended),
    mov.imm(R4, 0),
    call.helper(HELPER.mapUpdate),
  ];
}

/** Longer than a packet can be between two programs: the kernel complains of readers that take 21 seconds. */
const LONGEST_SECONDS = 30;
const FORGET = { now: -8, function: 'forget_suspended.one' } as const;

/**
 * Removes the entries of packets that the kernel's match has dropped (connlimit drops what it cannot make a tuple of), from a full map:
 * once a second at most. Packets for which there is no room until then are dropped.
 */
function emitForget(ctx: HookContext): void {
  ctx.functions.set(FORGET.function, emitForgetOne);
  const done = ctx.out.label('done');
  ctx.out.emit(
    call.helper(HELPER.jiffies),
    stx.dw(R10, FORGET.now, R0),
    div.imm(R0, ctx.facts.hz),
    mov.reg(R2, R0),
    lddw.mapValue(R1, MAP_NAMES.suspendedCount, COUNT.forgot),
    atomic.xchg.dw(R1, 0, R2),
    jeq.reg(R2, R0, done),
    lddw.map(R1, MAP_NAMES.suspended),
    lddw.func(R2, FORGET.function),
    mov.reg(R3, R10),
    add.imm(R3, FORGET.now),
    mov.imm(R4, 0),
    call.helper(HELPER.forEachElement),
    at(done),
    mov.imm(R0, 0),
    exit(),
  );
}

/** Callback(r1 map, r2 key, r3 entry, r4 the time): removes an old entry. */
function emitForgetOne(ctx: HookContext): void {
  const keep = ctx.out.label('keep');
  ctx.out.emit(
    ldx.w(R5, R4, 0),
    ldx.w(R3, R3, ENTRY.since),
    sub.reg32(R5, R3),
    jle.imm32(R5, LONGEST_SECONDS * ctx.facts.hz, keep),
    call.helper(HELPER.mapDelete),
    jne.imm(R0, 0, keep),
    ...addToCount(-1),
    at(keep),
    mov.imm(R0, 0),
    exit(),
  );
}

/** Offset of `skb` in struct bpf_nf_ctx; the layout of this structure is the programs' ABI. */
const CTX_SKB = 8;

/** Hangs behind the questions: goes on with packets that wait for the program `index`, and drops them if it is missing. */
export function stageProgram(index: number): ProgramSpec {
  return buildProgram('bf_stage', 'netfilter', [
    mov.reg(R6, R1),
    ...jumpIfNobodyWaits('none'),
    ldx.dw(R7, R6, CTX_SKB),
    ...lookUp(R7),
    jeq.imm(R0, 0, 'none'),
    ...setFlags(FLAG.resuming),
    mov.reg(R1, R6),
    lddw.map(R2, MAP_NAMES.resume),
    mov.imm(R3, index),
    call.helper(HELPER.tailCall),
    mov.imm(R0, NF_DROP),
    exit(),
    at('none'),
    mov.imm(R0, NF_ACCEPT),
    exit(),
  ]);
}

/** Sets flags in the entry in r0. Uses r1. */
function setFlags(flags: number): readonly CodeItem[] {
  return [ldx.w(R1, R0, ENTRY.flags), or.imm(R1, flags), stx.w(R0, ENTRY.flags, R1)];
}

/** r6 = address of the packet's sk_buff, in a socket filter. */
const PACKET: readonly CodeItem[] = [call.kfunc('bpf_cast_to_kern_ctx'), mov.reg(R6, R0)];

/** Matches packets that wait for an answer. */
export function waitingProgram(): ProgramSpec {
  return buildProgram('bf_waiting', 'socket_filter', [
    mov.reg(R7, R1),
    ...jumpIfNobodyWaits('none'),
    mov.reg(R1, R7),
    ...PACKET,
    ...lookUp(R6),
    jeq.imm(R0, 0, 'none'),
    mov.imm(R0, 1),
    exit(),
    at('none'),
    mov.imm(R0, 0),
    exit(),
  ]);
}

/** Matches packets that wait for the answer to the question that goes by `number`, and notes that it was put. */
export function questionProgram(number: number): ProgramSpec {
  return buildProgram('bf_question', 'socket_filter', [
    ...PACKET,
    ...lookUp(R6),
    jeq.imm(R0, 0, 'other'),
    ldx.w(R1, R0, ENTRY.question),
    jne.imm(R1, number, 'other'),
    ...setFlags(FLAG.asked),
    mov.imm(R0, 1),
    exit(),
    at('other'),
    mov.imm(R0, 0),
    exit(),
  ]);
}

/** Notes that the answer is yes. */
export function yesProgram(): ProgramSpec {
  return buildProgram('bf_yes', 'socket_filter', [
    ...PACKET,
    ...lookUp(R6),
    jeq.imm(R0, 0, 'out'),
    ...setFlags(FLAG.yes),
    at('out'),
    mov.imm(R0, 1),
    exit(),
  ]);
}
/** What the kernel does with a waiting packet's entry: the question it waits for, and the entry once it has been answered. */
export function answeredEntry(entry: Uint8Array, answer: (question: number) => boolean): void {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const yes = answer(view.getUint32(ENTRY.question, true));
  view.setUint32(ENTRY.flags, FLAG.asked | FLAG.resuming | (yes ? FLAG.yes : 0), true);
}
