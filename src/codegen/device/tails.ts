/** How a program on a device ends: the packet goes on, or it is dropped. */

import { add, at, call, exit, ja, mov } from '../../bpf/assembly.ts';
import type { CodeItem, Label } from '../../bpf/code.ts';
import { R0, R1, R3, R7, R10 } from '../../bpf/instruction.ts';
import type { DeviceKind } from '../../device/hook.ts';
import type { HookContext } from '../netfilter/context.ts';
import { addPacket } from '../netfilter/counters.ts';
import { COUNTERS, STACK } from '../netfilter/layout.ts';
import type { Tails } from '../netfilter/tails.ts';
import type { DeviceEnds } from './notes.ts';

/** enum xdp_action; enum tcx_action_base: programs of others at the same hook come next. */
export const VERDICTS = {
  xdp: { drop: 1, pass: 2 },
  'tc-ingress': { drop: 2, pass: -1 },
  'tc-egress': { drop: 2, pass: -1 },
} as const satisfies Record<DeviceKind, { drop: number; pass: number }>;

/** The ends of one family's rules. `loop`: the chain loop's iterator has to be ended. `answer`: where packets to be rejected go. */
export function emitDeviceTails(
  ctx: HookContext,
  tails: Tails,
  ends: DeviceEnds,
  loop: boolean,
  answer: Label | undefined,
): void {
  const { out } = ctx;
  const endLoop: readonly CodeItem[] = loop
    ? [
        mov.reg(R7, R1),
        mov.reg(R1, R10),
        add.imm(R1, STACK.iterator),
        call.kfunc('bpf_iter_num_destroy'),
        mov.reg(R1, R7),
      ]
    : [];
  const counted = (labels: readonly Label[], end: Label): void => {
    out.emit(...labels.map(at), ...endLoop, mov.reg(R3, COUNTERS), add.reg(R3, R1));
    addPacket(ctx, R3, 0, 'plain');
    out.emit(ja(end));
  };
  counted([tails.accept.plain, tails.accept.atomic], ends.pass);
  counted([tails.drop.plain, tails.drop.atomic], ends.drop);
  counted([tails.reject.plain, tails.reject.atomic], answer ?? ends.drop);
  const leave = (labels: readonly Label[], end: Label): void => {
    out.emit(...labels.map(at), ...(loop ? [mov.imm(R1, 0), ...endLoop] : []), ja(end));
  };
  leave([tails.hotdrop, tails.lost], ends.drop);
  leave([tails.pass], ends.pass);
  out.emit(at(tails.abort), ja(ends.drop));
}

/** The ends of the whole program. */
export function emitEnds(ctx: HookContext, kind: DeviceKind, ends: DeviceEnds): void {
  const { pass, drop } = VERDICTS[kind];
  ctx.out.emit(at(ends.pass), mov.imm(R0, pass), exit(), at(ends.drop), mov.imm(R0, drop), exit());
}
