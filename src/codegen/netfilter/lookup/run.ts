/** One run: is the packet broken, the key, the walk, and what the row found asks for. */
import {
  add,
  and,
  at,
  call,
  exit,
  ja,
  jeq,
  jge,
  jgt,
  lddw,
  ldx,
  lsh,
  mov,
  or,
  st,
  stx,
} from '../../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R3, R5, R7, R8, R10 } from '../../../bpf/instruction.ts';
import { PAYLOAD, REGION } from '../../../classify/image.ts';
import { ACTIONS, type RunAction } from '../../../classify/shape.ts';
import { noteCounter } from '../../xdp/notes.ts';
import { assume, ORDINARY } from '../assume.ts';
import { dispatch, type Resume } from '../chain-loop.ts';
import type { BodyContext } from '../context.ts';
import { type Addition, addPacket, COUNTER_BYTES } from '../counters.ts';
import { COUNTERS, STACK } from '../layout.ts';
import type { Tails } from '../tails.ts';
import { jumpIf } from '../test.ts';
import type { LookupContext } from './context.ts';
import type { LookupFrame } from './frame.ts';
import { emitKey } from './key.ts';
import type { RunSegment } from './plan.ts';
import { emitWalk } from './walk.ts';

/** A bit in the cell of guards that says nothing: a cell that holds 0 is one the verifier remembers. */
const NO_GUARD = 1 << 30;

export interface RunHost {
  readonly tails: Tails;
  readonly addition: Addition;
  /** The program runs in the chain loop, whose iterator has to be ended. */
  readonly loop: boolean;
  /**
   * Emits what an action does that is no plain verdict, with the byte offset of the counter in r5. It does not fall through.
   */
  act(action: RunAction): void;
}

/** Emits the look-up. Falls through when no row holds the packet. */
export function emitRun(ctx: BodyContext, run: RunSegment, frame: LookupFrame, host: RunHost): void {
  const { out } = ctx;
  const { shape } = run.table;
  const look: LookupContext = { ctx, shape, map: run.map, frame, goesOn: run.goesOn, loop: host.loop };
  const guards = emitGuards(look);
  emitKey(ctx, shape.dimensions, frame);
  emitWalk(look, guards);
  const [miss, others] = [out.label('miss'), out.label('others')];
  out.emit(
    ldx.w(R1, R10, frame.order),
    jeq.imm32(R1, -1, miss),
    ldx.w(R5, R10, frame.row),
    jge.imm(R5, shape.layout.rowCapacity, miss),
    lsh.imm(R5, 4),
    lddw.mapValue(R2, run.map, REGION.payload),
    add.reg(R2, R5),
    ldx.w(R1, R2, PAYLOAD.counter),
    ldx.w(R3, R2, PAYLOAD.action),
    // Changes nothing; the verifier wants to know, of atomic additions too.
    and.imm(R1, ~(COUNTER_BYTES - 1)),
    jgt.imm(R1, ctx.counterStride - COUNTER_BYTES, host.tails.hotdrop),
  );
  const special = shape.actions.slice(ACTIONS.drop + 1);
  if (special.length > 0) out.emit(jgt.imm(R3, ACTIONS.drop, others));
  emitVerdict(ctx, host);
  if (special.length > 0) {
    const places = special.map((_, index): Resume => ({ number: ACTIONS.drop + 1 + index, label: out.label('act') }));
    out.emit(at(others), mov.reg(R5, R1), mov.reg(R1, R3));
    dispatch(ctx, places);
    special.forEach((action, index) => {
      out.emit(at(places[index]!.label));
      host.act(action);
    });
  }
  out.emit(at(miss));
}

/** Sets the bits of the guards that are true; answers the numbers of those that can be. */
function emitGuards({ ctx, shape, frame }: LookupContext): readonly number[] {
  const { out } = ctx;
  const known = ctx.packets === 'ordinary' ? ORDINARY[ctx.family] : {};
  const whole = out.label('whole');
  const possible = shape.guards
    .map(({ hotdrop }, number) => ({ number, hotdrop: assume(hotdrop, known) }))
    .filter(({ hotdrop }) => !(hotdrop.kind === 'constant' && !hotdrop.value));
  const broken = assume(shape.broken, known);
  if (possible.length === 0 || (broken.kind === 'constant' && !broken.value)) return [];
  const to = (label: Label) => ({ label, leaves: false, elseLeaves: false });
  out.emit(st.w(R10, frame.guards, NO_GUARD));
  jumpIf(ctx, broken, false, to(whole));
  for (const { number, hotdrop } of possible) {
    const not = out.label('not');
    jumpIf(ctx, hotdrop, false, to(not));
    out.emit(ldx.w(R1, R10, frame.guards), or.imm(R1, 1 << number), stx.w(R10, frame.guards, R1), at(not));
  }
  out.emit(at(whole));
  return possible.map(({ number }) => number);
}

/** Hotdrop, accept and drop: counter offset in r1, action in r3. One way for accept and drop, since which of them comes next cannot be foretold. */
function emitVerdict(ctx: BodyContext, { tails, addition, loop }: RunHost): void {
  const { out } = ctx;
  out.emit(jeq.imm(R3, ACTIONS.hotdrop, tails.hotdrop));
  if ((ctx.policy.effects?.length ?? 0) > 0 || ctx.early !== undefined || ctx.device !== undefined) {
    // A packet that is dropped may have a list of effects; programs on devices have tails of their own.
    out.emit(jeq.imm(R3, ACTIONS.accept, tails.accept[addition]), ja(tails.drop[addition]));
    return;
  }
  out.emit(mov.reg(R7, R1), mov.reg(R8, R3), and.imm(R8, ACTIONS.accept));
  if (loop) out.emit(mov.reg(R1, R10), add.imm(R1, STACK.iterator), call.kfunc('bpf_iter_num_destroy'));
  out.emit(add.reg(COUNTERS, R7));
  addPacket(ctx, COUNTERS, 0, addition);
  out.emit(mov.reg(R0, R8), exit());
}

/**
 * dst = what the payload says (PAYLOAD) of the row that was found. `never`: where nothing ever leads. Uses `scratch`.
 */
export function loadOfRow(
  { table, map }: RunSegment,
  frame: LookupFrame,
  dst: number,
  scratch: number,
  place: number,
  never: Label,
): readonly CodeItem[] {
  return [
    ldx.w(dst, R10, frame.row),
    jge.imm(dst, table.shape.layout.rowCapacity, never),
    lsh.imm(dst, 4),
    lddw.mapValue(scratch, map, REGION.payload),
    add.reg(scratch, dst),
    ldx.w(dst, scratch, place),
  ];
}

/** Counts with the offset in r5. Uses r1..r3. */
export function countRow(ctx: BodyContext, addition: Addition): void {
  if (ctx.early !== undefined) {
    ctx.out.emit(mov.reg(R1, R5), ...noteCounter(ctx.early.full));
    return;
  }
  ctx.out.emit(mov.reg(R3, COUNTERS), add.reg(R3, R5));
  addPacket(ctx, R3, 0, addition);
}

/** Further look-ups begin behind the row that was found, or behind row `row`. */
export function goOnBehind(ctx: BodyContext, run: RunSegment, frame: LookupFrame, row?: number): void {
  const { out } = ctx;
  if (row === undefined) out.emit(ldx.w(R1, R10, frame.order));
  else {
    const place = REGION.payload + row * REGION.rowBytes + PAYLOAD.order;
    out.emit(lddw.mapValue(R1, run.map, place), ldx.w(R1, R1, 0));
  }
  out.emit(add.imm(R1, 1), stx.w(R10, frame.from, R1));
}
