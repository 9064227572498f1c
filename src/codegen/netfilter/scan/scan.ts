/** Scans (policy/scan.ts) as functions: each different one is emitted once behind the program, and called. */

import { ldx, mov } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R10 } from '../../../bpf/instruction.ts';
import { readsTransport, type Scan } from '../../../policy/scan.ts';
import type { DccpOptionScan } from '../../../policy/scan-dccp-option.ts';
import type { SctpChunksScan } from '../../../policy/scan-sctp-chunks.ts';
import type { TcpMssScan } from '../../../policy/scan-tcp-mss.ts';
import type { U32Scan } from '../../../policy/scan-u32.ts';
import { jumpIfCompares, jumpTo, type Target } from '../branch.ts';
import { callOnContext, type HookContext, loadMember } from '../context.ts';
import { CTX, STACK } from '../layout.ts';
import { classicFrame, emitClassicScan } from './classic.ts';
import { callDccpOption } from './dccp-option.ts';
import { emitExtensionScan } from './extension.ts';
import { emitFindHeader } from './find-header.ts';
import { emitHeaderSetScan } from './header-set.ts';
import { ANSWER } from './reading.ts';
import { callSctpChunks } from './sctp-chunks.ts';
import { jumpIfTcpMss } from './tcp-mss.ts';
import { emitTextScan, TEXT_FRAME } from './text.ts';
import { jumpIfU32 } from './u32.ts';

/** Jumps to `target` if (the scan's outcome is `outcome`) equals `sense`. */
export function jumpIfScan(
  ctx: HookContext,
  scan: Scan,
  outcome: 'yes' | 'evil',
  sense: boolean,
  target: Target,
): void {
  const { out } = ctx;
  if (scan.kind === 'extensionHeader') {
    const find = callOnContext(ctx, 'find_header', 1, (within) => onPacket(within, emitFindHeader));
    out.emit(mov.reg(R1, CTX), mov.imm(R2, scan.header), find, mov.reg(R2, R0));
  }
  if (readsTransport(scan)) {
    ctx.used.add('transportOffset');
    out.emit(ldx.w(R2, R10, STACK.transportOffset));
  }
  switch (scan.kind) {
    case 'u32':
    case 'tcpMss':
      // Nothing is evil to these.
      if (outcome === 'evil') {
        if (!sense) jumpTo(ctx, target);
      } else if (scan.kind === 'u32') jumpIfU32(ctx, scan, sense, target);
      else jumpIfTcpMss(ctx, scan, sense, target);
      return;
    case 'dccpOption':
      callDccpOption(ctx, scan);
      break;
    case 'sctpChunks':
      callSctpChunks(ctx, scan);
      break;
    default:
      callScan(ctx, scan);
  }
  jumpIfCompares(ctx, R0, sense ? 'eq' : 'ne', BigInt(ANSWER[outcome]), 32, target);
}

type OwnFunction = Exclude<Scan, U32Scan | TcpMssScan | DccpOptionScan | SctpChunksScan>;

function callScan(ctx: HookContext, scan: OwnFunction): void {
  const { out } = ctx;
  // Equal scans have equal text, and so one function.
  const name = `scan ${JSON.stringify(scan)}`;
  const args = scan.kind === 'extensionHeader' ? 1 : 0;
  out.emit(
    mov.reg(R1, CTX),
    callOnContext(ctx, name, args, (within) => onPacket(within, () => emitScan(within, scan))),
  );
}

/** A function that begins with the packet's sk_buff in r1, in the place of the program's context. */
function onPacket(ctx: HookContext, emit: (ctx: HookContext) => void): void {
  ctx.out.emit(loadMember(ctx, R1, R1, 'bpf_nf_ctx.skb'));
  emit(ctx);
}

/** Return slots that a hook program gives up for the frame of this scan's function: beside all of them there are 64 bytes. */
export function slotsForScan(scan: Scan): number {
  const bytes = scan.kind === 'text' ? TEXT_FRAME : scan.kind === 'classic' ? classicFrame(scan) : 64;
  return Math.max(0, Math.ceil(bytes / 16) * 2 - 8);
}

function emitScan(ctx: HookContext, scan: OwnFunction): void {
  switch (scan.kind) {
    case 'extensionHeader':
      emitExtensionScan(ctx, scan);
      return;
    case 'headerSet':
      emitHeaderSetScan(ctx, scan);
      return;
    case 'classic':
      emitClassicScan(ctx, scan);
      return;
    case 'text':
      emitTextScan(ctx, scan);
      return;
  }
}
