/** The packet's socket as xt_cgroup sees it: skb->sk itself, if it is a full one of this network namespace. */

import { at, ja, jeq, jne, ldx, mov, stx } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R10 } from '../../../bpf/instruction.ts';
import { castTo, loadSkbPointer, loadStatePointer } from '../cast.ts';
import { type HookContext, loadMember, releaseScratch } from '../context.ts';
import { STACK } from '../layout.ts';

const TCP_TIME_WAIT = 6;
const TCP_NEW_SYN_RECV = 12;

/** r0 = the socket as struct sock; none: jump to `none`. Leaves pointers in two scratch slots. */
function castSender(ctx: HookContext, none: Label): void {
  const { out } = ctx;
  loadSkbPointer(ctx, 'sk_buff.sk');
  out.emit(jeq.imm(R1, 0, none), stx.dw(R10, STACK.value, R1));
  castTo(ctx, 'sock_common');
  out.emit(
    loadMember(ctx, R1, R0, 'sock_common.skc_state'),
    jeq.imm(R1, TCP_TIME_WAIT, none),
    jeq.imm(R1, TCP_NEW_SYN_RECV, none),
    loadMember(ctx, R1, R0, 'sock_common.skc_net'),
    stx.dw(R10, STACK.key, R1),
  );
  loadStatePointer(ctx, 'nf_hook_state.net');
  out.emit(ldx.dw(R2, R10, STACK.key), jne.reg(R1, R2, none), ldx.dw(R1, R10, STACK.value));
  castTo(ctx, 'sock');
}

function loadOf(ctx: HookContext, load: (ctx: HookContext) => void): void {
  const { out } = ctx;
  const [none, done] = [out.label('nosender'), out.label('sender')];
  castSender(ctx, none);
  load(ctx);
  out.emit(ja(done), at(none), mov.imm(R1, 0), at(done));
  releaseScratch(ctx, STACK.key, STACK.value);
}

export function loadSenderFull(ctx: HookContext): void {
  loadOf(ctx, ({ out }) => out.emit(mov.imm(R1, 1)));
}

export function loadClassid(ctx: HookContext): void {
  loadOf(ctx, () => ctx.out.emit(loadMember(ctx, R1, R0, 'sock.sk_cgrp_data.classid')));
}
