/** The device that a frame came in by. */

import { call, mov } from '../../bpf/assembly.ts';
import { R0, R1 } from '../../bpf/instruction.ts';
import { type HookContext, memberPlace } from '../netfilter/context.ts';
import { CTX } from '../netfilter/layout.ts';
import { readKernel } from './kernel-memory.ts';

/** r1 = address of its struct net_device, in an XDP program whose context is in r6. Uses r0..r5. */
export function loadFrameDevice(ctx: HookContext): void {
  ctx.out.emit(
    mov.reg(R1, CTX),
    call.kfunc('bpf_cast_to_kern_ctx'),
    ...readKernel('dw', R1, R0, memberPlace(ctx.facts, 'xdp_buff.rxq').offset),
    ...readKernel('dw', R1, R1, memberPlace(ctx.facts, 'xdp_rxq_info.dev').offset),
  );
}
