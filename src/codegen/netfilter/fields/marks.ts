/** The marks of the packet and of its connection, as they are in the kernel now. */

import { R1 } from '../../../bpf/instruction.ts';
import { type HookContext, loadMember, loadSkb } from '../context.ts';
import { loadCtMark, loadCtPresent } from './conntrack.ts';

/** r1 = skb->mark */
export function loadPacketMark(ctx: HookContext): void {
  ctx.out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.mark'));
}

/** r1 = mark of the conntrack entry, 0 without one. */
export const loadEntryMark = loadCtMark;

/** r1 = 1 if there is a conntrack entry, else 0. */
export const loadEntryPresent = loadCtPresent;
