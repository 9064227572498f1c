/** Expressions become jumps: nothing is computed as a value. */

import { and, at, lddw } from '../../bpf/assembly.ts';
import { R1, R2 } from '../../bpf/instruction.ts';
import { fieldMax } from '../../policy/expr.ts';
import type { FieldName } from '../../policy/fields.ts';
import type { Expr, Interval, Test } from '../../policy/ir.ts';
import { behind, jumpTo, type Target } from './branch.ts';
import type { BodyContext } from './context.ts';
import { isWide, loadField, takeOut } from './fields.ts';
import { ODD_LENGTH_MAX, ODD_SHIFT } from './flow-word.ts';
import { FLOW } from './layout.ts';
import { jumpIfPayload } from './payload.ts';
import { jumpIfInRanges } from './ranges.ts';
import { jumpIfScan } from './scan/scan.ts';
import { jumpIfOptionsReadable, jumpIfTcpOption } from './tcp-option.ts';
import { jumpIfWide } from './wide.ts';

/**
 * Jumps to `target` if `expr` is `sense`, else falls through. Uses r0..r5.
 */
export function jumpIf(ctx: BodyContext, expr: Expr, sense: boolean, target: Target): void {
  switch (expr.kind) {
    case 'constant':
      if (expr.value === sense) jumpTo(ctx, target);
      return;
    case 'not':
      jumpIf(ctx, expr.expr, !sense, target);
      return;
    case 'all':
      jumpIfSeveral(ctx, expr.exprs, false, sense, target);
      return;
    case 'any':
      jumpIfSeveral(ctx, expr.exprs, true, sense, target);
      return;
    case 'test':
      jumpIfTest(ctx, expr, sense, target);
      return;
    case 'payload':
      jumpIfPayload(ctx, expr, sense, target);
      return;
    case 'scan':
      jumpIfScan(ctx, expr.scan, expr.outcome, sense, target);
      return;
    case 'tcpOption':
      jumpIfTcpOption(ctx, expr.option, sense, target);
      return;
    case 'tcpOptionsReadable':
      jumpIfOptionsReadable(ctx, sense, target);
      return;
  }
}

/** `decisive` is the value that decides at once: true for `any`, false for `all`. */
function jumpIfSeveral(
  ctx: BodyContext,
  exprs: readonly Expr[],
  decisive: boolean,
  sense: boolean,
  target: Target,
): void {
  if (sense === decisive) {
    exprs.forEach((expr, index) => {
      const last = index === exprs.length - 1;
      jumpIf(ctx, expr, decisive, last ? target : { ...target, elseLeaves: false });
    });
    return;
  }
  const decided = behind(ctx, 'decided', target);
  for (const expr of exprs.slice(0, -1)) jumpIf(ctx, expr, decisive, decided);
  jumpIf(ctx, exprs.at(-1)!, sense, target);
  ctx.out.emit(at(decided.label));
}

function jumpIfTest(ctx: BodyContext, test: Test, sense: boolean, target: Target): void {
  const { field } = test;
  if (isWide(ctx, field)) {
    jumpIfWide(ctx, { field, mask: test.mask ?? fieldMax(field), ranges: test.ranges }, sense, target);
    return;
  }
  const clamped = field === 'transport.length' && ctx.layout.kind === 'odd' ? clampedLength(test) : undefined;
  if (clamped !== undefined) {
    takeOut(ctx, { register: FLOW, shift: ODD_SHIFT.length, bits: 8 });
    jumpIfInRanges(ctx, { bits: 32, max: BigInt(ODD_LENGTH_MAX), ranges: clamped }, sense, target);
    return;
  }
  loadField(ctx, field);
  const max = largestShort(field);
  const bits = max <= U32 ? 32 : 64;
  const mask = (test.mask ?? max) & max;
  if (mask !== max) {
    if (bits === 32) ctx.out.emit(and.imm32(R1, Number(mask)));
    else ctx.out.emit(lddw.imm(R2, mask), and.reg(R1, R2));
  }
  jumpIfInRanges(ctx, { bits, max: LARGEST[field] ?? mask, ranges: upTo(test.ranges, mask) }, sense, target);
}

const U32 = 0xffffffffn;

/** Largest value of a field that is not read in halves; fields of 128 bits are IPv4 addresses then. */
function largestShort(field: FieldName): bigint {
  const max = fieldMax(field);
  return max > U64 ? U32 : max;
}

const U64 = (1n << 64n) - 1n;

/** The ranges without what lies above `max`. */
function upTo(ranges: readonly Interval[], max: bigint): readonly Interval[] {
  if (ranges.every((range) => range.max <= max)) return ranges;
  return ranges
    .filter((range) => range.min <= max)
    .map((range) => (range.max <= max ? range : { min: range.min, max }));
}

/** Fields that cannot hold all values of their width. */
const LARGEST: Partial<Record<Test['field'], bigint>> = {
  'ct.info': 7n,
  'meta.pkttype': 7n,
  'socket.state': 2n,
};

/** Ranges of transport.length as ranges of the length clamped to 8 bits, if that can tell them apart. */
function clampedLength(test: Test): readonly Interval[] | undefined {
  if (test.mask !== undefined) return undefined;
  const top = BigInt(ODD_LENGTH_MAX);
  const out: Interval[] = [];
  for (const { min, max } of test.ranges) {
    if (max === fieldMax('transport.length') && min <= top) out.push({ min, max: top });
    else if (max < top) out.push({ min, max });
    else return undefined;
  }
  return out;
}
