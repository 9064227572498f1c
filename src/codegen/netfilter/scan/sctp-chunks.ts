import {
  add,
  and,
  at,
  endian,
  ja,
  jeq,
  jlt,
  jne,
  lddw,
  ldx,
  lsh,
  mov,
  or,
  rsh,
  stx,
  xor,
} from '../../../bpf/assembly.ts';
import type { Label } from '../../../bpf/code.ts';
import { R1, R2, R3, R4, R6, R7, R8, R9, R10 } from '../../../bpf/instruction.ts';
import type { SctpChunksScan } from '../../../policy/scan-sctp-chunks.ts';
import { callOnContext, type HookContext, loadMember } from '../context.ts';
import { CTX } from '../layout.ts';
import { jumpIfInRanges } from '../ranges.ts';
import { ANSWER, answers, beginLoop, endLoop, openPacket, readBytes } from './reading.ts';

/** What lies in the frame beside iterator and dynptr: the chunk header, and one bit for each type that is still missing. */
const [CHUNK, MISSING] = [-32, -64];
const SCTP_HEADER = 12;
const CHUNK_HEADER = 4;
/** Every chunk takes at least 4 bytes, so no packet has more. */
const MAX_CHUNKS = 1 << 20;

const [LENGTH, PLACE, WORD] = [R6, R7, R8];

/** r0 = what the scan says; r2: place of the SCTP header. Equal scans have equal text, and so one function. */
export function callSctpChunks(ctx: HookContext, scan: SctpChunksScan): void {
  const name = `scan ${JSON.stringify(scan)}`;
  ctx.out.emit(
    mov.reg(R1, CTX),
    callOnContext(ctx, name, 1, (within) => emitSctpChunks(within, scan)),
  );
}

/** Function (r1 context, r2 place of the SCTP header) -> r0 answer. */
function emitSctpChunks(ctx: HookContext, scan: SctpChunksScan): void {
  const { out } = ctx;
  const { how } = scan;
  const [no, yes, evil, unwanted, next, over] = HINTS.map((hint) => out.label(hint)) as Labels;
  out.emit(
    loadMember(ctx, R1, R1, 'bpf_nf_ctx.skb'),
    loadMember(ctx, LENGTH, R1, 'sk_buff.len'),
    mov.reg(PLACE, R2),
    add.imm(PLACE, SCTP_HEADER),
  );
  openPacket(ctx);
  if (how === 'all') storeMissing(ctx, scan);
  const head = beginLoop(ctx, MAX_CHUNKS, over);
  readBytes(ctx, { base: PLACE, size: CHUNK_HEADER, to: CHUNK }, evil);
  out.emit(
    // type << 24 | flags << 16 | length
    ldx.w(WORD, R10, CHUNK),
    endian.toBe(32, WORD),
    mov.reg(R9, WORD),
    and.imm(R9, 0xffff),
    jeq.imm(R9, 0, evil),
    add.imm(R9, 3),
    and.imm(R9, -4),
    add.reg(PLACE, R9),
  );
  jumpUnlessWanted(ctx, scan, unwanted);
  if (how === 'any') out.emit(ja(yes));
  if (how === 'all') clearMissing(ctx);
  if (how === 'only') out.emit(ja(next));
  out.emit(at(unwanted));
  if (how === 'only') out.emit(ja(no));
  out.emit(at(next), jlt.reg(PLACE, LENGTH, head), at(over));
  if (how === 'any') out.emit(ja(no));
  if (how === 'all') {
    out.emit(ldx.dw(R1, R10, MISSING));
    for (const offset of [8, 16, 24]) out.emit(ldx.dw(R2, R10, MISSING + offset), or.reg(R1, R2));
    out.emit(jne.imm(R1, 0, no));
  }
  for (const [label, answer] of [
    [yes, ANSWER.yes],
    [no, ANSWER.no],
    [evil, ANSWER.evil],
  ] as const) {
    out.emit(at(label));
    endLoop(ctx);
    answers(ctx, [[out.label('answer'), answer]]);
  }
}

const HINTS = ['no', 'yes', 'evil', 'unwanted', 'next', 'over'] as const;
type Labels = [Label, Label, Label, Label, Label, Label];

/** Jumps unless the chunk whose header is in WORD has one of the types and the flags asked of it. */
function jumpUnlessWanted(ctx: HookContext, { types, flags }: SctpChunksScan, unwanted: Label): void {
  const { out } = ctx;
  out.emit(mov.reg(R1, WORD), rsh.imm(R1, 24));
  const ranges = types.map(({ min, max }) => ({ min: BigInt(min), max: BigInt(max) }));
  jumpIfInRanges(ctx, { bits: 32, max: 255n, ranges }, false, { label: unwanted, leaves: false, elseLeaves: false });
  for (const { type, mask, value } of flags) {
    const other = out.label('other');
    out.emit(
      mov.reg(R1, WORD),
      rsh.imm(R1, 24),
      jne.imm(R1, type, other),
      mov.reg(R1, WORD),
      rsh.imm(R1, 16),
      and.imm(R1, mask),
      jne.imm(R1, value, unwanted),
      at(other),
    );
  }
}

function storeMissing({ out }: HookContext, { types }: SctpChunksScan): void {
  const words = [0n, 0n, 0n, 0n];
  for (const { min, max } of types)
    for (let type = min; type <= max; type++) words[type >> 6]! |= 1n << BigInt(type & 63);
  words.forEach((word, index) => {
    out.emit(lddw.imm(R1, word), stx.dw(R10, MISSING + 8 * index, R1));
  });
}

/** Clears the bit of the chunk's type: byte type >> 3 of the bits as they lie in memory, low byte first. */
function clearMissing({ out }: HookContext): void {
  out.emit(
    mov.reg(R1, WORD),
    rsh.imm(R1, 24),
    mov.reg(R3, R1),
    and.imm(R3, 7),
    mov.imm(R4, 1),
    lsh.reg(R4, R3),
    xor.imm(R4, -1),
    rsh.imm(R1, 3),
    and.imm(R1, 31),
    mov.reg(R2, R10),
    add.reg(R2, R1),
    ldx.b(R3, R2, MISSING),
    and.reg(R3, R4),
    stx.b(R2, MISSING, R3),
  );
}
