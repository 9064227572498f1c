/** hashlimit: a global function for each table; what happens to an account happens under its lock. */

import {
  add,
  and,
  at,
  atomic,
  call,
  exit,
  ja,
  jeq,
  jgt,
  jle,
  jlt,
  jne,
  lddw,
  ldx,
  lsh,
  mod,
  mov,
  mul,
  or,
  rsh,
  st,
  stx,
  sub,
} from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import { type HashlimitRates, type HashlimitTable, hashlimitRates } from '../../../policy/hashlimit.ts';
import type { StatefulTest } from '../../../policy/ir.ts';
import { MAP_NAMES } from '../../compiled.ts';
import { jumpIfCompares, type Target } from '../branch.ts';
import { type BodyContext, callGlobal, type HookContext } from '../context.ts';
import { loadField, loadHalf } from '../fields.ts';
import { HELPER } from '../layout.ts';
import { ACCOUNT, hashlimitKeyPlaces } from './hashlimit-account.ts';
import type { NamedMap } from './named-map.ts';

type HashlimitTest = StatefulTest & { readonly kind: 'hashlimit' };

/** What the function returns. */
const ANSWER = { over: 0, within: 1, full: 2 } as const;

/** r4 = 1 within the limit, else 0; a full table: jump to `hotdrop`. */
export function runHashlimit(
  ctx: BodyContext,
  test: HashlimitTest,
  { table: named, map }: NamedMap,
  offset: number,
  hotdrop: Target,
): void {
  if (named.kind !== 'hashlimit') throw new Error(`${named.name} is not a table of hashlimit`);
  const { out } = ctx;
  const { table } = named;
  const label = `hashlimit_${map}`;
  loadPorts(ctx, test, table);
  loadField(ctx, 'meta.length');
  out.emit(lsh.imm(R1, 32), or.reg(R5, R1));
  loadAddress(ctx, 'destination', table.destination, [R3, R4]);
  loadAddress(ctx, 'source', table.source, [R1, R2]);
  const emit = (own: HookContext): void => emitHashlimit(own, table, map, offset);
  out.emit(callGlobal(ctx, label, 5, emit), mov.reg32(R4, R0));
  jumpIfCompares(ctx, R4, 'eq', BigInt(ANSWER.full), 32, hotdrop);
}

/** r5 = source port << 16 | destination port, 0 where the packet has none. Fields here use no register but r1. */
function loadPorts(ctx: BodyContext, test: HashlimitTest, table: HashlimitTable): void {
  const { out } = ctx;
  out.emit(mov.imm(R5, 0));
  if (!test.ports || !(table.sourcePort || table.destinationPort)) return;
  const none = out.label('portless');
  if (ctx.family === 'ipv6' && ctx.packets !== 'ordinary') {
    loadField(ctx, 'ip6.fragOffset');
    out.emit(jne.imm(R1, 0, none));
  }
  loadField(ctx, 'transport.sport');
  out.emit(mov.reg(R5, R1), lsh.imm(R5, 16));
  loadField(ctx, 'transport.dport');
  out.emit(or.reg(R5, R1), at(none));
}

function loadAddress(
  ctx: BodyContext,
  side: 'source' | 'destination',
  wanted: boolean,
  [high, low]: readonly [number, number],
): void {
  const { out } = ctx;
  if (!wanted) {
    out.emit(mov.imm(high, 0), mov.imm(low, 0));
    return;
  }
  if (ctx.family === 'ipv4') {
    loadField(ctx, side === 'source' ? 'ip.saddr' : 'ip.daddr');
    out.emit(...(high === R1 ? [] : [mov.reg(high, R1)]), mov.imm(low, 0));
    return;
  }
  const field = side === 'source' ? 'ip6.saddr' : 'ip6.daddr';
  loadHalf(ctx, field, 'low');
  out.emit(mov.reg(low, R1));
  loadHalf(ctx, field, 'high');
  if (high !== R1) out.emit(mov.reg(high, R1));
}

/** Frame of the function: the key, a new value, the time of the last collection. */
const FRAME = { key: -40, value: -80, collection: -88 } as const;
const EEXIST = 17;
const NOEXIST = 1;

/** Function hashlimit_X(r1 r2 source, r3 r4 destination, r5 length << 32 | ports) -> r0 ANSWER. */
function emitHashlimit(ctx: HookContext, table: HashlimitTable, map: string, offset: number): void {
  const { out } = ctx;
  const rates = hashlimitRates(table, ctx.facts.hz);
  const [full, have] = [out.label('full'), out.label('account')];
  const collect = 'hashlimit_collect';
  ctx.functions.set(collect, emitCollect);
  emitKey(ctx, table);
  out.emit(mov.reg(R9, R5), rsh.imm(R9, 32), call.helper(HELPER.jiffies), mov.reg(R8, R0));
  emitCollection(ctx, rates);
  emitLookup(ctx, map);
  out.emit(jne.imm(R0, 0, have));
  emitCreate(ctx, rates, map, offset, collect, full);
  emitLookup(ctx, map);
  out.emit(jeq.imm(R0, 0, full), at(have), mov.reg(R6, R0), mov.reg(R1, R6), call.helper(HELPER.spinLock));
  emitUse(ctx, table, rates);
  out.emit(mov.reg(R1, R6), call.helper(HELPER.spinUnlock), mov.reg(R0, R8), exit());
  out.emit(at(full), mov.imm(R0, ANSWER.full), exit());
}

/** The key on the stack: what the table looks at, masked. */
function emitKey(ctx: HookContext, table: HashlimitTable): void {
  const { out, family } = ctx;
  const places = hashlimitKeyPlaces(family);
  const [source, destination] = [FRAME.key + places.source, FRAME.key + places.destination];
  if (family === 'ipv4') {
    out.emit(and.imm32(R1, prefixMask(table.sourceMask)), stx.w(R10, source, R1));
    out.emit(and.imm32(R3, prefixMask(table.destinationMask)), stx.w(R10, destination, R3));
  } else {
    emitHalves(ctx, [R1, R2], table.sourceMask, source);
    emitHalves(ctx, [R3, R4], table.destinationMask, destination);
  }
  const ports = (table.sourcePort ? 0xffff0000 : 0) + (table.destinationPort ? 0xffff : 0);
  out.emit(
    mov.reg32(R1, R5),
    and.imm32(R1, ports),
    stx.w(R10, FRAME.key + places.ports, R1),
    st.w(R10, FRAME.key + places.ports + 4, 0),
  );
}

/** Two halves of an address in memory order, masked to a prefix. */
function emitHalves(ctx: HookContext, halves: readonly [number, number], prefix: number, at: number): void {
  const mask = prefix === 0 ? 0n : BigInt.asUintN(128, -1n << BigInt(128 - prefix));
  for (const [index, half] of halves.entries()) {
    const bytes = BigInt.asUintN(64, mask >> (index === 0 ? 64n : 0n));
    const swapped = BigInt(`0x${bytes.toString(16).padStart(16, '0').match(/../g)!.reverse().join('')}`);
    ctx.out.emit(lddw.imm(R0, swapped), and.reg(half, R0), stx.dw(R10, at + 8 * index, half));
  }
}

/** The upper `prefix` of 32 bits. */
function prefixMask(prefix: number): number {
  return prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0;
}

/** r7 = the time of the last collection: now, rounded down. */
function emitCollection({ out }: HookContext, rates: HashlimitRates): void {
  out.emit(
    lddw.imm(R2, rates.collect),
    mov.reg(R7, R8),
    mov.reg(R1, R8),
    mod.reg(R1, R2),
    sub.reg(R7, R1),
    stx.dw(R10, FRAME.collection, R7),
  );
}

function emitLookup({ out }: HookContext, map: string): void {
  out.emit(lddw.map(R1, map), mov.reg(R2, R10), add.imm(R2, FRAME.key), call.helper(HELPER.mapLookup));
}

/** A new account. Where there is no room, expired accounts are removed, but only once after each time of collection. */
function emitCreate(
  ctx: HookContext,
  rates: HashlimitRates,
  map: string,
  offset: number,
  collect: Label,
  full: Label,
): void {
  const { out } = ctx;
  const [again, made] = [out.label('again'), out.label('made')];
  out.emit(
    st.dw(R10, FRAME.value + ACCOUNT.lock, 0),
    stx.dw(R10, FRAME.value + ACCOUNT.previous, R8),
    lddw.imm(R1, rates.expire),
    add.reg(R1, R8),
    stx.dw(R10, FRAME.value + ACCOUNT.expires, R1),
    lddw.imm(R1, rates.fresh.a),
    stx.dw(R10, FRAME.value + ACCOUNT.a, R1),
    lddw.imm(R1, rates.fresh.b),
    stx.dw(R10, FRAME.value + ACCOUNT.b, R1),
    // r6: tries left
    mov.imm(R6, 1),
    at(again),
    lddw.map(R1, map),
    mov.reg(R2, R10),
    add.imm(R2, FRAME.key),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.value),
    mov.imm(R4, NOEXIST),
    call.helper(HELPER.mapUpdate),
    jeq.imm32(R0, 0, made),
    jeq.imm32(R0, -EEXIST >>> 0, made),
    jeq.imm(R6, 0, full),
    mov.imm(R6, 0),
    lddw.mapValue(R1, MAP_NAMES.states, offset),
    // The state holds the time of the last collection plus one.
    mov.reg(R2, R7),
    add.imm(R2, 1),
    mov.reg(R3, R2),
    atomic.xchg.dw(R1, 0, R3),
    jeq.reg(R3, R2, full),
    lddw.map(R1, map),
    lddw.func(R2, collect),
    mov.reg(R3, R10),
    add.imm(R3, FRAME.collection),
    mov.imm(R4, 0),
    call.helper(HELPER.forEachElement),
    ja(again),
    at(made),
  );
}

/** Callback(r1 map, r2 key, r3 account, r4 time of the collection): removes the account if it had expired by then. */
function emitCollect({ out }: HookContext): void {
  const keep = out.label('keep');
  out.emit(
    ldx.dw(R5, R4, 0),
    ldx.dw(R3, R3, ACCOUNT.expires),
    jgt.reg(R3, R5, keep),
    call.helper(HELPER.mapDelete),
    at(keep),
    mov.imm(R0, 0),
    exit(),
  );
}

/** r8 = 1 within the limit, else 0; r6 the account, r7 the last collection, r8 now, r9 length of the packet. */
function emitUse(ctx: HookContext, table: HashlimitTable, rates: HashlimitRates): void {
  const { out } = ctx;
  const [known, settled] = [out.label('known'), out.label('settled')];
  out.emit(
    ldx.dw(R1, R6, ACCOUNT.expires),
    jgt.reg(R1, R7, known),
    stx.dw(R6, ACCOUNT.previous, R8),
    lddw.imm(R1, rates.fresh.a),
    stx.dw(R6, ACCOUNT.a, R1),
    lddw.imm(R1, rates.fresh.b),
    stx.dw(R6, ACCOUNT.b, R1),
    ja(settled),
    at(known),
    mov.reg(R2, R8),
    ldx.dw(R1, R6, ACCOUNT.previous),
    sub.reg(R2, R1),
    jeq.imm(R2, 0, settled),
  );
  if (table.rateMatch) emitNewWindow(ctx, rates, settled);
  else emitEarn(ctx, table, rates);
  out.emit(at(settled), lddw.imm(R1, rates.expire), add.reg(R1, R8), stx.dw(R6, ACCOUNT.expires, R1), mov.imm(R8, 0));
  if (table.rateMatch) emitCount(ctx, table, rates);
  else emitPay(ctx, table, rates);
}

/** rateinfo_recalc of a rate match; r2: jiffies since the last. */
function emitNewWindow({ out }: HookContext, rates: HashlimitRates, settled: Label): void {
  const calm = out.label('calm');
  out.emit(
    lddw.imm(R3, rates.window),
    jlt.reg(R2, R3, settled),
    stx.dw(R6, ACCOUNT.previous, R8),
    ldx.dw(R1, R6, ACCOUNT.b),
    mul.reg(R1, R3),
    lddw.imm(R3, rates.rate),
    mul.reg(R2, R3),
    st.dw(R6, ACCOUNT.b, 0),
    st.dw(R6, ACCOUNT.a, 0),
    jle.reg(R1, R2, calm),
    st.dw(R6, ACCOUNT.a, 1),
    at(calm),
  );
}

/** rateinfo_recalc of the others; r2: jiffies since the last. */
function emitEarn({ out }: HookContext, table: HashlimitTable, rates: HashlimitRates): void {
  const [cut, within] = [out.label('cut'), out.label('earned')];
  out.emit(
    stx.dw(R6, ACCOUNT.previous, R8),
    lddw.imm(R3, rates.perJiffy),
    mul.reg(R2, R3),
    ldx.dw(R1, R6, ACCOUNT.a),
    add.reg(R2, R1),
  );
  if (table.bytes) out.emit(lddw.imm(R3, rates.cap), jle.reg(R2, R1, cut));
  else out.emit(ldx.dw(R3, R6, ACCOUNT.b));
  out.emit(jle.reg(R2, R3, within), at(cut), mov.reg(R2, R3), at(within), stx.dw(R6, ACCOUNT.a, R2));
}

/** r8 = 1 if the packet fits the window. */
function emitCount({ out }: HookContext, table: HashlimitTable, rates: HashlimitRates): void {
  const over = out.label('over');
  out.emit(ldx.dw(R1, R6, ACCOUNT.b));
  out.emit(table.bytes ? add.reg(R1, R9) : add.imm(R1, 1));
  out.emit(
    stx.dw(R6, ACCOUNT.b, R1),
    ldx.dw(R2, R6, ACCOUNT.a),
    jne.imm(R2, 0, over),
    lddw.imm(R2, rates.most),
    jgt.reg(R1, R2, over),
    mov.imm(R8, 1),
    at(over),
  );
}

/** r8 = 1 if the packet can be paid for. */
function emitPay(ctx: HookContext, table: HashlimitTable, rates: HashlimitRates): void {
  const { out } = ctx;
  const over = out.label('over');
  if (table.bytes) emitByteCost(ctx, rates);
  else out.emit(lddw.imm(R2, rates.cost), ldx.dw(R1, R6, ACCOUNT.a));
  out.emit(jlt.reg(R1, R2, over), sub.reg(R1, R2), mov.imm(R8, 1), at(over), stx.dw(R6, ACCOUNT.a, R1));
}

/** r2 = what the packet costs, r1 = the credit, filled up by a burst where it does not suffice. */
function emitByteCost({ out }: HookContext, rates: HashlimitRates): void {
  const [cheap, enough] = [out.label('cheap'), out.label('enough')];
  out.emit(
    mov.reg(R2, R9),
    rsh.imm(R2, 4),
    add.imm(R2, 1),
    lddw.imm(R3, rates.cost),
    mul.reg(R2, R3),
    lddw.imm(R3, rates.cap),
    jle.reg(R2, R3, cheap),
    mov.reg(R2, R3),
    at(cheap),
    ldx.dw(R1, R6, ACCOUNT.a),
    ldx.dw(R4, R6, ACCOUNT.b),
    jle.reg(R2, R1, enough),
    jeq.imm(R4, 0, enough),
    sub.imm(R4, 1),
    stx.dw(R6, ACCOUNT.b, R4),
    mov.reg(R1, R3),
    at(enough),
  );
}
