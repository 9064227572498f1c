/** The packet's socket as xt_owner sees it: skb_to_full_sk, its inode, its file, the credentials the file was opened with. */

import { at, ja, jeq, jne, mov } from '../../../bpf/assembly.ts';
import { R0, R1, R2 } from '../../../bpf/instruction.ts';
import { castTo } from '../cast.ts';
import { type HookContext, loadMember, loadSkb, loadState } from '../context.ts';

const TCP_TIME_WAIT = 6;
const TCP_NEW_SYN_RECV = 12;

/** r0 = skb_to_full_sk(skb): of a connection request its listener; no socket or one in TIME_WAIT: jump to `none`. */
function castFullSocket(ctx: HookContext, none: string): void {
  const { out } = ctx;
  const full = out.label('full');
  out.emit(loadSkb(ctx, R1), loadMember(ctx, R1, R1, 'sk_buff.sk'), jeq.imm(R1, 0, none));
  castTo(ctx, 'sock_common');
  out.emit(
    loadMember(ctx, R1, R0, 'sock_common.skc_state'),
    jne.imm(R1, TCP_NEW_SYN_RECV, full),
    loadMember(ctx, R1, R0, 'sock_common.skc_listener'),
    jeq.imm(R1, 0, none),
  );
  castTo(ctx, 'sock_common');
  out.emit(at(full), loadMember(ctx, R1, R0, 'sock_common.skc_state'), jeq.imm(R1, TCP_TIME_WAIT, none));
}

/** r1 = sk->sk_socket of a full socket of this network namespace; else a jump to `none`. */
function loadInode(ctx: HookContext, none: string): void {
  castFullSocket(ctx, none);
  ctx.out.emit(
    loadMember(ctx, R1, R0, 'sock_common.skc_net'),
    loadState(ctx, R2),
    loadMember(ctx, R2, R2, 'nf_hook_state.net'),
    jne.reg(R1, R2, none),
    // struct sock begins with its struct sock_common.
    mov.reg(R1, R0),
  );
  castTo(ctx, 'sock');
  ctx.out.emit(loadMember(ctx, R1, R0, 'sock.sk_socket'), jeq.imm(R1, 0, none));
}

/** r1 = sk->sk_socket->file. */
function loadFile(ctx: HookContext, none: string): void {
  loadInode(ctx, none);
  castTo(ctx, 'socket');
  ctx.out.emit(loadMember(ctx, R1, R0, 'socket.file'));
}

/** Values of socket.state. */
const [NO_SOCKET, WITHOUT_FILE, WITH_FILE] = [0, 1, 2];

export function loadSocketState(ctx: HookContext): void {
  const { out } = ctx;
  const [none, done] = [out.label('nosock'), out.label('sock')];
  loadFile(ctx, none);
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
}

export function loadCredential(name: 'cred.fsuid' | 'cred.fsgid'): (ctx: HookContext) => void {
  return (ctx) => {
    const { out } = ctx;
    const [none, done] = [out.label('nocred'), out.label('cred')];
    loadFile(ctx, none);
    castTo(ctx, 'file');
    out.emit(loadMember(ctx, R1, R0, 'file.f_cred'));
    castTo(ctx, 'cred');
    out.emit(loadMember(ctx, R1, R0, name), ja(done), at(none), mov.imm(R1, 0), at(done));
  };
}
