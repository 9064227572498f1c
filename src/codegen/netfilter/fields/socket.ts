/** The packet's socket as xt_owner sees it: skb_to_full_sk, its inode, its file, the credentials the file was opened with. */

import { at, ja, jeq, jne, ldx, mov, stx } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R0, R1, R2, R10 } from '../../../bpf/instruction.ts';
import { castTo, loadSkbPointer, loadStatePointer } from '../cast.ts';
import { type HookContext, loadMember, releaseScratch } from '../context.ts';
import { STACK } from '../layout.ts';

const TCP_TIME_WAIT = 6;
const TCP_NEW_SYN_RECV = 12;

/** Values of socket.state. */
const [NO_SOCKET, WITHOUT_FILE, WITH_FILE] = [0, 1, 2];

/** What becomes of a connection request: its listener stands for it (skb_to_full_sk), or it is no socket (sk_fullsock). */
export type RequestRule = 'listener' | 'none';

/** r0 = the packet's full socket as struct sock_common; none: jump to `none`. */
function castFullSocket(ctx: HookContext, request: RequestRule, none: Label): void {
  const { out } = ctx;
  const full = out.label('full');
  loadSkbPointer(ctx, 'sk_buff.sk');
  out.emit(jeq.imm(R1, 0, none));
  castTo(ctx, 'sock_common');
  out.emit(loadMember(ctx, R1, R0, 'sock_common.skc_state'));
  if (request === 'none') out.emit(jeq.imm(R1, TCP_NEW_SYN_RECV, none));
  else {
    out.emit(
      jne.imm(R1, TCP_NEW_SYN_RECV, full),
      loadMember(ctx, R1, R0, 'sock_common.skc_listener'),
      jeq.imm(R1, 0, none),
    );
    castTo(ctx, 'sock_common');
    out.emit(at(full), loadMember(ctx, R1, R0, 'sock_common.skc_state'));
  }
  out.emit(jeq.imm(R1, TCP_TIME_WAIT, none));
}

/** Scratch slots that loadSocketFile leaves pointers in. */
const SOCKET_SCRATCH = [STACK.key, STACK.value] as const;

/** r1 = sk->sk_socket->file of a full socket of this network namespace with an inode; else a jump to `none`. */
export function loadSocketFile(ctx: HookContext, request: RequestRule, none: Label): void {
  castFullSocket(ctx, request, none);
  ctx.out.emit(
    // struct sock begins with its struct sock_common. The namespace is looked at last, because that needs all registers.
    loadMember(ctx, R1, R0, 'sock_common.skc_net'),
    stx.dw(R10, STACK.key, R1),
    mov.reg(R1, R0),
  );
  castTo(ctx, 'sock');
  ctx.out.emit(loadMember(ctx, R1, R0, 'sock.sk_socket'), jeq.imm(R1, 0, none), stx.dw(R10, STACK.value, R1));
  loadStatePointer(ctx, 'nf_hook_state.net');
  ctx.out.emit(ldx.dw(R2, R10, STACK.key), jne.reg(R1, R2, none), ldx.dw(R1, R10, STACK.value));
  castTo(ctx, 'socket');
  ctx.out.emit(loadMember(ctx, R1, R0, 'socket.file'));
}

/** 0 no socket, 1 without a file, 2 with one. */
export function loadSocketState(ctx: HookContext): void {
  const { out } = ctx;
  const [none, done] = [out.label('nosock'), out.label('sock')];
  loadSocketFile(ctx, 'listener', none);
  // A pointer to the verifier, so it can be compared but not computed with.
  out.emit(
    mov.reg(R2, R1),
    mov.imm(R1, WITHOUT_FILE),
    jeq.imm(R2, 0, done),
    mov.imm(R1, WITH_FILE),
    ja(done),
    at(none),
    mov.imm(R1, NO_SOCKET),
    at(done),
  );
  releaseScratch(ctx, ...SOCKET_SCRATCH);
}

/** 1 if skb->sk is a socket, of any kind, of this network namespace. */
export function loadOwnSocket(ctx: HookContext): void {
  const { out } = ctx;
  const [none, done] = [out.label('nosock'), out.label('own')];
  loadSkbPointer(ctx, 'sk_buff.sk');
  out.emit(jeq.imm(R1, 0, none));
  castTo(ctx, 'sock_common');
  out.emit(loadMember(ctx, R1, R0, 'sock_common.skc_net'), stx.dw(R10, STACK.value, R1));
  loadStatePointer(ctx, 'nf_hook_state.net');
  out.emit(
    ldx.dw(R2, R10, STACK.value),
    jne.reg(R1, R2, none),
    mov.imm(R1, 1),
    ja(done),
    at(none),
    mov.imm(R1, 0),
    at(done),
  );
  releaseScratch(ctx, STACK.value);
}

/** r0 = credentials of the file in r1. */
export function castCredentials(ctx: HookContext): void {
  castTo(ctx, 'file');
  ctx.out.emit(loadMember(ctx, R1, R0, 'file.f_cred'));
  castTo(ctx, 'cred');
}

export function loadCredential(name: 'cred.fsuid' | 'cred.fsgid'): (ctx: HookContext) => void {
  return (ctx) => {
    const { out } = ctx;
    const [none, done] = [out.label('nocred'), out.label('cred')];
    loadSocketFile(ctx, 'listener', none);
    castCredentials(ctx);
    out.emit(loadMember(ctx, R1, R0, name), ja(done), at(none), mov.imm(R1, 0), at(done));
    releaseScratch(ctx, ...SOCKET_SCRATCH);
  };
}
