/** Scans (policy/scan.ts) as functions: each different one is emitted once behind the program, and called. */

import { ldx, mov } from '../../../bpf/assembly.ts';
import { R0, R1, R2, R10 } from '../../../bpf/instruction.ts';
import { readsTransport, type Scan } from '../../../policy/scan.ts';
import { jumpIfCompares, type Target } from '../branch.ts';
import { callFunction, type HookContext, loadSkb } from '../context.ts';
import { STACK } from '../layout.ts';
import { emitDccpOptionScan } from './dccp-option.ts';
import { emitExtensionScan } from './extension.ts';
import { emitFindHeader } from './find-header.ts';
import { emitHeaderSetScan } from './header-set.ts';
import { ANSWER } from './reading.ts';
import { emitSctpChunksScan } from './sctp-chunks.ts';
import { emitTcpMssScan } from './tcp-mss.ts';
import { emitTextScan, TEXT_FRAME } from './text.ts';
import { emitU32Scan } from './u32.ts';

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
    const find = callFunction(ctx, 'find_header', emitFindHeader);
    out.emit(loadSkb(ctx, R1), mov.imm(R2, scan.header), find, mov.reg(R2, R0));
  }
  if (readsTransport(scan)) {
    ctx.used.add('transportOffset');
    out.emit(ldx.w(R2, R10, STACK.transportOffset));
  }
  // Equal scans have equal text, and so one function.
  const name = `scan ${JSON.stringify(scan)}`;
  out.emit(
    loadSkb(ctx, R1),
    callFunction(ctx, name, (within) => emitScan(within, scan)),
  );
  jumpIfCompares(ctx, R0, sense ? 'eq' : 'ne', BigInt(ANSWER[outcome]), 32, target);
}

/** Return slots that a hook program gives up for the frame of this scan's function: beside all of them there are 64 bytes. */
export function slotsForScan(scan: Scan): number {
  return scan.kind === 'text' ? Math.ceil((TEXT_FRAME - 64) / 8) : 0;
}

function emitScan(ctx: HookContext, scan: Scan): void {
  switch (scan.kind) {
    case 'extensionHeader':
      emitExtensionScan(ctx, scan);
      return;
    case 'headerSet':
      emitHeaderSetScan(ctx, scan);
      return;
    case 'text':
      emitTextScan(ctx, scan);
      return;
    case 'u32':
      emitU32Scan(ctx, scan);
      return;
    case 'tcpMss':
      emitTcpMssScan(ctx, scan);
      return;
    case 'dccpOption':
      emitDccpOptionScan(ctx, scan);
      return;
    case 'sctpChunks':
      emitSctpChunksScan(ctx, scan);
      return;
  }
}
