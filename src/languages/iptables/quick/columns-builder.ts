/** The rules of a chain while it is read, as columns that grow by doubling. */
import type { SourceText } from '../../../diagnostics/source.ts';
import type { Rule } from '../../../rules/model.ts';
import { OTHER, type RuleColumns, type RuleKind, SLOTS, type SlotColumn } from '../../../rules/rule-columns.ts';

/** A line that is a rule of a kind. */
export interface QuickRow {
  /** Its place, counters and all. */
  start: number;
  end: number;
  /** Characters in front of `-A`. */
  head: number;
  packets: number;
  bytes: number;
  /** By slot: the interval; only slots of the kind count. */
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  /** Its values are printed as they were written. */
  canonical: boolean;
}

/** A kind, and whether its words are printed as they were written. */
export interface KindInBuilder extends RuleKind {
  readonly canonical: boolean;
}

export interface ColumnsBuilder {
  /** Adds a kind; its number, or -1 when there are too many. */
  addKind(kind: KindInBuilder): number;
  add(kind: number, row: QuickRow): void;
  addOther(rule: Rule): void;
  columns(): RuleColumns;
}

/** `read` makes the rule of a line again. */
export function columnsBuilder(
  source: SourceText,
  before: readonly Rule[],
  read: (start: number, end: number) => Rule,
): ColumnsBuilder {
  let capacity = 256;
  let count = 0;
  const kinds: KindInBuilder[] = [];
  const others = new Map<number, Rule>();
  const values: ({ lo: Uint32Array; hi: Uint32Array } | undefined)[] = SLOTS.map(() => undefined);
  let kindOf = new Uint16Array(capacity);
  let start = new Uint32Array(capacity);
  let end = new Uint32Array(capacity);
  let asWritten = new Uint8Array(capacity);
  let packets: Float64Array<ArrayBuffer> | undefined;
  let bytes: Float64Array<ArrayBuffer> | undefined;

  const grow = (): void => {
    capacity *= 2;
    kindOf = copied(new Uint16Array(capacity), kindOf);
    start = copied(new Uint32Array(capacity), start);
    end = copied(new Uint32Array(capacity), end);
    asWritten = copied(new Uint8Array(capacity), asWritten);
    packets = packets && copied(new Float64Array(capacity), packets);
    bytes = bytes && copied(new Float64Array(capacity), bytes);
    for (const column of values) {
      if (column === undefined) continue;
      column.lo = copied(new Uint32Array(capacity), column.lo);
      column.hi = copied(new Uint32Array(capacity), column.hi);
    }
  };
  const addOther = (rule: Rule): void => {
    if (count === capacity) grow();
    kindOf[count] = OTHER;
    others.set(count++, rule);
  };
  for (const rule of before) addOther(rule);

  return {
    addKind(kind) {
      if (kinds.length === OTHER) return -1;
      for (const { slot } of kind.slots)
        values[slot] ??= { lo: new Uint32Array(capacity), hi: new Uint32Array(capacity) };
      return kinds.push(kind) - 1;
    },
    add(number, row) {
      if (count === capacity) grow();
      const kind = kinds[number]!;
      kindOf[count] = number;
      start[count] = row.start;
      end[count] = row.end;
      if (kind.canonical && row.canonical && row.head < 255) asWritten[count] = row.head + 1;
      if (row.packets > 0 || row.bytes > 0) {
        packets ??= new Float64Array(capacity);
        bytes ??= new Float64Array(capacity);
        packets[count] = row.packets;
        bytes[count] = row.bytes;
      }
      for (let i = 0; i < kind.slots.length; i++) {
        const { slot } = kind.slots[i]!;
        const column = values[slot]!;
        column.lo[count] = row.lo[slot]!;
        column.hi[count] = row.hi[slot]!;
      }
      count++;
    },
    addOther,
    columns: () =>
      Object.freeze({
        count,
        kinds: Object.freeze(kinds.slice()),
        kind: kindOf.subarray(0, count),
        others,
        values: values.map(
          (column): SlotColumn | undefined =>
            column && { lo: column.lo.subarray(0, count), hi: column.hi.subarray(0, count) },
        ),
        source,
        start: start.subarray(0, count),
        end: end.subarray(0, count),
        asWritten: asWritten.subarray(0, count),
        ...(packets === undefined || bytes === undefined
          ? {}
          : { packets: packets.subarray(0, count), bytes: bytes.subarray(0, count) }),
        rule: (at: number): Rule => others.get(at) ?? read(start[at]!, end[at]!),
      }),
  };
}

function copied<T extends { set(from: T): void }>(into: T, from: T): T {
  into.set(from);
  return into;
}
