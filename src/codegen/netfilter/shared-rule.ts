/** Rules of a run that share their code: residual conditions and action, with the row's parameter for what they do not share. */

import { add, and, ja, jgt, lddw, ldx, st } from '../../bpf/assembly.ts';
import { R1, R2, R5, R10 } from '../../bpf/instruction.ts';
import { PAYLOAD } from '../../classify/image.ts';
import type { RunAction } from '../../classify/shape.ts';
import { firstOwnState } from '../../classify/shared-code.ts';
import { MAP_NAMES } from '../compiled.ts';
import { type ChainHost, emitRowAction } from './body-run.ts';
import { type Body, goThroughHead } from './body-state.ts';
import type { Resume } from './chain-loop.ts';
import type { BodyContext } from './context.ts';
import { type Addition, COUNTER_BYTES } from './counters.ts';
import { STACK } from './layout.ts';
import { storeLogPlace } from './log.ts';
import type { LookupFrame } from './lookup/frame.ts';
import type { RunSegment } from './lookup/plan.ts';
import { countRow, goOnBehind, loadOfRow } from './lookup/run.ts';
import { emitRule } from './rule.ts';
import { STATE_BYTES, STATE_LOG } from './stateful.ts';

interface SharedPlace {
  readonly chain: number;
  readonly run: RunSegment;
  readonly frame: LookupFrame;
  readonly addition: Addition;
  /** The look-up, once more. */
  readonly again: Resume;
}

/** Emits the code of the rules behind a row; the packet leaves it or looks on. The frame's cells say which row it is. */
export function emitSharedRule(
  body: Body,
  place: SharedPlace,
  { rule, conditions }: Extract<RunAction, { kind: 'shared' }>,
  host: ChainHost,
): void {
  const { run, frame, again, addition, chain } = place;
  const first = firstOwnState(conditions);
  const ctx: BodyContext = {
    ...body.ctx,
    parameter: { first, load: (dst, scratch, never) => loadOfRow(run, frame, dst, scratch, PAYLOAD.parameter, never) },
  };
  const lookOn = (): void => {
    goOnBehind(ctx, run, frame);
    goThroughHead(body, again);
  };
  const { action } = rule;
  const never = body.tails.hotdrop;
  emitRule(ctx, { ...rule, conditions }, never, () => {
    ctx.out.emit(
      ...loadOfRow(run, frame, R5, R1, PAYLOAD.counter, never),
      and.imm(R5, ~(COUNTER_BYTES - 1)),
      jgt.imm(R5, ctx.counterStride - COUNTER_BYTES, never),
    );
    if (action.kind === 'log') {
      countRow(ctx, addition);
      logOn(body, ctx, place, first !== undefined);
    } else if (action.kind === 'effect') {
      countRow(ctx, addition);
      // Recording goes through the loop head, which leaves nothing of the frame but where to go on.
      goOnBehind(ctx, run, frame);
      host.effect(rule, action.effect);
      goThroughHead(body, again);
    } else emitRowAction(body, chain, action, addition, lookOn, host);
  });
  lookOn();
}

/** Logs, and comes back to the look-up. */
function logOn(body: Body, ctx: BodyContext, { run, frame, again }: SharedPlace, inState: boolean): void {
  const { out } = ctx;
  const never = body.tails.hotdrop;
  out.emit(...ctx.parameter!.load(R1, R2, never));
  if (inState) {
    out.emit(
      and.imm(R1, ~(STATE_BYTES - 1)),
      jgt.imm(R1, ctx.stateBytes - STATE_BYTES, never),
      lddw.mapValue(R2, MAP_NAMES.states, STATE_LOG),
      add.reg(R2, R1),
      ldx.w(R1, R2, 0),
    );
  }
  storeLogPlace(ctx);
  goOnBehind(ctx, run, frame);
  body.logs.push(again);
  out.emit(st.w(R10, STACK.logReturn.cell, again.number), ja(body.logBlock));
}
