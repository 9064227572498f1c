import type { NumberRange, ScanOutcome } from './scan.ts';

/**
 * One test of a u32 program that reads more than once, or shifts to the left: four bytes at `start`, as a big-endian number, changed
 * by the steps in turn, lie in one of `ranges`. `@` moves the place by the number and reads anew, `operand` bytes further on.
 */
export interface U32Scan {
  readonly kind: 'u32';
  readonly start: number;
  readonly steps: readonly { readonly operator: '&' | '<<' | '>>' | '@'; readonly operand: number }[];
  /** Sorted, disjoint, not adjacent. */
  readonly ranges: readonly NumberRange[];
}

/** u32_match_it: four bytes that are not all in the packet are no match. */
export function scanU32({ start, steps, ranges }: U32Scan, bytes: Uint8Array): ScanOutcome {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = (at: number): number | undefined => (at + 4 > bytes.length ? undefined : view.getUint32(at));
  let place = 0;
  let value = read(start);
  for (const { operator, operand } of steps) {
    if (value === undefined) return 'no';
    switch (operator) {
      case '&':
        value = (value & operand) >>> 0;
        break;
      case '<<':
        value = (value << operand) >>> 0;
        break;
      case '>>':
        value >>>= operand;
        break;
      case '@':
        place += value;
        value = read(place + operand);
    }
  }
  if (value === undefined) return 'no';
  const found = value;
  return ranges.some(({ min, max }) => min <= found && found <= max) ? 'yes' : 'no';
}
