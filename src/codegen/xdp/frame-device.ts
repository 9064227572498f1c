/** The devices of a frame. */

import { call, ldx, mov } from '../../bpf/assembly.ts';
import { R0, R1 } from '../../bpf/instruction.ts';
import { type HookContext, memberPlace } from '../netfilter/context.ts';
import { COUNTERS, CTX } from '../netfilter/layout.ts';
import { readKernel } from './kernel-memory.ts';
import { NOTES } from './notes.ts';

/** r1 = address of the struct net_device that it came in by, in an XDP program whose context is in r6. Uses r0..r5. */
export function loadFrameDevice(ctx: HookContext): void {
  ctx.out.emit(
    mov.reg(R1, CTX),
    call.kfunc('bpf_cast_to_kern_ctx'),
    ...readKernel('dw', R1, R0, memberPlace(ctx.facts, 'xdp_buff.rxq').offset),
    ...readKernel('dw', R1, R1, memberPlace(ctx.facts, 'xdp_rxq_info.dev').offset),
  );
}

/** r1 = address of the one that it would be sent out by, as the gate of routing has noted it; 0: none. */
export function loadOutDevice(ctx: HookContext): void {
  ctx.out.emit(ldx.dw(R1, COUNTERS, NOTES.outDevice));
}
