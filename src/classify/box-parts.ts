/** Tests of a rule as boxes over the dimensions of a run. */
import type { Condition, Test } from '../policy/ir.ts';
import { type Axis, type AxisBox, axisBoxes, dimensionValue } from './dimension.ts';
import type { RowsBuilder } from './rows.ts';

/** The axis of a test's field and mask. */
export type AxisFinder = (test: Test) => Axis | undefined;

export function axisFinder(axes: readonly Axis[]): AxisFinder {
  return (test) => {
    for (const axis of axes) if (axis.field === test.field && axis.mask === test.mask) return axis;
    return undefined;
  };
}

/** A test as boxes over the dimensions of its axis. */
export interface Part {
  readonly axis: Axis;
  readonly boxes: readonly AxisBox[];
}

export interface BoxParts {
  readonly parts: readonly Part[];
  /** Tests without an axis, or with too many boxes. */
  readonly left: readonly Condition[];
}

/** The boxes of each test. */
export function partsOf(box: readonly Test[], find: AxisFinder, maxRows: number): BoxParts {
  const parts: Part[] = [];
  const left: Condition[] = [];
  let rows = 1;
  for (const test of box) {
    const axis = find(test);
    const boxes = axis === undefined ? [] : test.ranges.flatMap((range) => axisBoxes(axis, range));
    if (axis === undefined || rows * boxes.length > maxRows) {
      left.push({ kind: 'require', expr: test });
      continue;
    }
    rows *= boxes.length;
    parts.push({ axis, boxes });
  }
  return { parts, left };
}

/** A row for each combination of boxes. */
export function addRows(builder: RowsBuilder, entry: number, final: boolean, parts: readonly Part[]): void {
  const combinations = parts.reduce((product, part) => product * part.boxes.length, 1);
  for (let which = 0; which < combinations; which++) {
    builder.add(entry, final);
    let rest = which;
    for (const { axis, boxes } of parts) {
      const box = boxes[rest % boxes.length]!;
      rest = Math.floor(rest / boxes.length);
      for (let d = 0; d < box.length; d++) builder.narrow(axis.first + d, box[d]![0], box[d]![1]);
    }
  }
}

/** Nearly all rules: each test one interval of one dimension. False, with nothing done, for the others. */
export function addSimpleRow(
  builder: RowsBuilder,
  entry: number,
  final: boolean,
  box: readonly Test[],
  find: AxisFinder,
): boolean {
  for (const test of box) if (test.ranges.length !== 1 || find(test)?.dimensions.length !== 1) return false;
  builder.add(entry, final);
  for (const test of box) {
    const { first, dimensions } = find(test)!;
    const { min, max } = test.ranges[0]!;
    builder.narrow(first, dimensionValue(dimensions[0]!, min), dimensionValue(dimensions[0]!, max));
  }
  return true;
}
