import { and, at, ja, jeq, jle, jne, ldx, mov, or, stx } from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R1, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import { HEADER_BITS, type HeaderSetScan } from '../../../policy/scan.ts';
import { type HookContext, loadMember } from '../context.ts';
import { emitStep, FIXED_HEADER, jumpUnlessExtension, MAX_HEADERS, NEXT_HEADER } from './find-header.ts';
import { ANSWER, answers, beginLoop, endLoop, FRAME, openPacket, readBytes } from './reading.ts';

const [ESP, NONE] = [50, 59];
/** Bits of the headers that are stepped over, by number. */
const STEPPED_OVER = [
  [0, HEADER_BITS['hop-by-hop']],
  [43, HEADER_BITS['ipv6-route']],
  [44, HEADER_BITS['ipv6-frag']],
  [51, HEADER_BITS.ah],
  [60, HEADER_BITS['ipv6-opts']],
] as const;

/** Function of a HeaderSetScan: (r1 skb) -> r0 answer. The walk is that of ipv6header_mt6 (policy/scan-header-set.ts). */
export function emitHeaderSetScan(ctx: HookContext, scan: HeaderSetScan): void {
  const { out } = ctx;
  const [length, bits, next, place] = [R6, R7, R8, R9];
  const [no, yes, short, ended, esp, none, protocol, decide] = HINTS.map((hint) => out.label(hint)) as Labels;
  out.emit(loadMember(ctx, length, R1, 'sk_buff.len'));
  openPacket(ctx);
  out.emit(mov.imm(place, NEXT_HEADER));
  readBytes(ctx, { base: place, size: 1 }, no);
  out.emit(ldx.b(next, R10, FRAME.buffer), mov.imm(place, FIXED_HEADER), mov.imm(bits, 0));
  const head = beginLoop(ctx, MAX_HEADERS, short);
  out.emit(jeq.imm(next, ESP, esp));
  jumpUnlessExtension(ctx, next, ended);
  readBytes(ctx, { base: place, size: 2 }, short);
  for (const [number, bit] of STEPPED_OVER) {
    const other = out.label('other');
    out.emit(jne.imm(next, number, other), or.imm(bits, bit), at(other));
  }
  emitStep(ctx, next, place);
  out.emit(
    jle.reg(place, length, head),
    // A header that is longer than the packet ends the walk.
    jeq.imm(next, ESP, decide),
    jeq.imm(next, NONE, decide),
    ja(protocol),
    at(ended),
    jeq.imm(next, NONE, none),
    at(protocol),
    or.imm(bits, HEADER_BITS.protocol),
    ja(decide),
    at(none),
    or.imm(bits, HEADER_BITS['ipv6-nonxt']),
    ja(decide),
    at(esp),
  );
  readBytes(ctx, { base: place, size: 2 }, short);
  // Through a cell: the comparison must not make the bits exact in the loop.
  out.emit(or.imm(bits, HEADER_BITS.esp), at(decide), stx.w(R10, FRAME.cell, bits));
  endLoop(ctx);
  out.emit(
    ldx.w(R1, R10, FRAME.cell),
    and.imm(R1, scan.mask),
    scan.invert ? jeq.imm(R1, scan.value, no) : jne.imm(R1, scan.value, no),
    ja(yes),
    at(short),
  );
  endLoop(ctx);
  answers(ctx, [
    [no, ANSWER.no],
    [yes, ANSWER.yes],
  ]);
}

const HINTS = ['no', 'yes', 'short', 'ended', 'esp', 'none', 'protocol', 'decide'] as const;
type Labels = [Label, Label, Label, Label, Label, Label, Label, Label];
