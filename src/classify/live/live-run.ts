/**
 * A run whose memory changes one rule at a time (docs/classification.md, "Memory that can be changed in place").
 *
 * The region is kept as a copy here; a change is a list of writes and one store. What a change has replaced is used again once
 * it is released, that is, when no reader that began before its store is left.
 */
import { encodeRegion, type PlacedPart, REGION, type RegionLayout, TABLES } from '../image.ts';
import type { Rows } from '../rows.ts';
import { ACTIONS } from '../shape.ts';
import { type Adoption, createAdoption } from './adoption.ts';
import type { Change, Edit, LiveRule, Outcome, Refusal } from './change.ts';
import { bucketsCopied } from './hash-part.ts';
import { type Box, boxOf, createLiveRows, type LiveRows } from './live-rows.ts';
import { guardRowsOf, rankEntries, startParts, writeTable } from './parts.ts';
import { createPlacement, isRuleTree, isTree, OVERLAY_ROWS } from './placement.ts';
import { heapOf, type Place } from './read.ts';
import { OrderFull, RowsFull, reasonOf } from './reasons.ts';
import { createSequence, NOBODY } from './sequence.ts';
import { beginTransaction, payloadOffset, type Transaction } from './transaction.ts';
import { type LiveLimits, sweepTrees } from './tree.ts';
import { createZonedHeap } from './zoned-heap.ts';

export interface LiveSource {
  /** The rows of the rules; then those of each guard, whose entries begin anew. */
  readonly rows: Rows;
  readonly parts: readonly PlacedPart[];
  /** Places for trees that hold nothing yet; at least one of the rules' and one of each guard's. Rows that fit nowhere else go there. */
  readonly spare: readonly number[];
  /** Places of each guard, from..to); the others are the rules'. */
  readonly guards: readonly { readonly from: number; readonly to: number }[];
  readonly layout: RegionLayout;
  readonly limits: LiveLimits;
  /** The program goes on behind a row that matches and has no order (NO_ORDER): wide rows can be taken away with one store. */
  readonly passesOver: boolean;
  /** The program knows rows by their ids: none is ever given another. Without a number left between two rules the run then says `order`. */
  readonly rowsStay?: boolean;
  /** By row: what the payload says of it. */
  readonly counter: (row: number) => number;
  readonly action: (row: number) => number;
}

export interface LiveRun extends Adoption {
  /** The region as it is once every change so far has been applied. */
  readonly region: Uint32Array;
  readonly layout: RegionLayout;
  readonly places: readonly Place[];
  readonly rows: LiveRows;
  /** Ids of the rules there were in the beginning are 0, 1, ... in the order of the entries that have rows. */
  readonly rules: number;
  /** All edits come into force at once. */
  change(edits: readonly Edit[]): Outcome;
  /** No reader is left that began before the commit of change `number`: what it and those before it replaced may be used again. */
  release(number: number, later?: boolean): void;
  /** Gives about `most` slots of trees back that were released `later`; true when nothing is left. */
  sweep(most: number): boolean;
  /** The order of a rule, as look-ups begin at it or behind it. */
  orderOf(id: number): number;
  status(): LiveStatus;
  /** Whether changes have left look-ups longer than they need be. */
  readonly compactionAdvised: boolean;
}

export interface LiveStatus {
  readonly freeSlots: number;
  readonly fragmentation: number;
  /** Rows in parts that take what fits nowhere else. */
  readonly overlayRows: number;
  /** Rows taken away that still lie in leaves. */
  readonly zombies: number;
  /** Changes that were not released. */
  readonly pending: number;
}

/** Free slots below which a change waits for those that are not released. */
const RESERVE_SLOTS = 4096;
/** Rules whose numbers are set apart again at once. */
const CROWD = 64;

interface Pending {
  readonly number: number;
  readonly freed: readonly number[];
  readonly rowsFreed: readonly number[];
  readonly rulesFreed: readonly number[];
  readonly dropped: readonly number[];
  /** The table that it replaced, or the place of its store. */
  readonly table: number;
  readonly place: number;
}

/** @throws RangeError when the source does not fit its layout */
export function createLiveRun(source: LiveSource): LiveRun {
  const { layout, limits } = source;
  const { count } = source.rows;
  const { entry, rules: ruleTotal } = rankEntries(source.rows);
  const counter = new Uint32Array(count);
  const action = new Uint32Array(count);
  for (let row = 0; row < count; row++) {
    counter[row] = source.counter(row);
    action[row] = source.action(row);
  }
  const sequence = createSequence(ruleTotal, layout.rowCapacity);
  const initial: Rows = { ...source.rows, entry };
  const isGuards = guardRowsOf(source);
  const orderOf = (row: number): number => 2 * sequence.order[entry[row]!]! - isGuards[row]!;
  const rows = createLiveRows(initial, orderOf, layout.rowCapacity);
  const payload = { count, order: rows.order, counter, action };
  const region = new Uint32Array(encodeRegion(layout, source.parts, payload).buffer);
  const used = source.parts.reduce((sum, { part }) => sum + part.slots, 0);
  const base = {
    region,
    heapOffset: layout.heap,
    heap: createZonedHeap(layout.heapSlots, used),
    words: heapOf(region, layout),
    rows,
    limits,
    takenIn: new Uint32Array(layout.heapSlots),
  };
  const firstRow = new Int32Array(layout.rowCapacity).fill(-1);
  const nextRow = new Int32Array(layout.rowCapacity).fill(-1);
  for (let row = initial.count - 1; row >= 0; row--) {
    const rule = initial.entry[row]!;
    nextRow[row] = firstRow[rule]!;
    firstRow[rule] = row;
  }
  const partOf = new Int16Array(layout.rowCapacity).fill(-1);
  const parts = startParts(source, rows, partOf, region);
  const { passesOver } = source;
  const placement = createPlacement({ region, rows, parts, partOf, passesOver, quiet });
  const freeRules: number[] = [];
  let ruleCount = ruleTotal;
  /** Trees that nobody reads any more (tree.ts, `sweepTrees`). */
  const unswept: number[] = [];
  let rowsTaken = initial.count;
  let pending: Pending[] = [];
  let latest = 0;
  let transactions = 0;
  let active = 0;
  let exhausted: Refusal['why'] | undefined;

  function giveRows(free: readonly number[]): void {
    for (const row of free) rows.give(row);
    rowsTaken -= free.length;
  }

  function quiet(place: number): boolean {
    return pending.every((earlier) => earlier.place === place);
  }

  function addRow(transaction: Transaction, rule: number, box: Box, group: number, what: LiveRule): void {
    // A guard's row comes right before the rule's.
    const order = 2 * sequence.order[rule]! - Math.min(1, group);
    const row = rows.take(box, rule, order, group > 0 || what.final);
    if (row < 0) throw new RowsFull();
    rowsTaken++;
    nextRow[row] = firstRow[rule]!;
    firstRow[rule] = row;
    const offset = payloadOffset(row);
    region.set(group > 0 ? [order, 0, ACTIONS.hotdrop, 0] : [order, what.counter, what.action, 0], offset / 4);
    transaction.wrote(offset, REGION.rowBytes);
    placement.insert(transaction, row, group);
  }

  function addRows(transaction: Transaction, rule: number, what: LiveRule): void {
    for (const box of what.boxes) addRow(transaction, rule, box, 0, what);
    for (const { guard, boxes } of what.guards ?? []) {
      for (const box of boxes) addRow(transaction, rule, box, guard + 1, what);
    }
  }

  function removeRows(transaction: Transaction, rule: number): void {
    for (let row = firstRow[rule]!; row >= 0; row = nextRow[row]!) {
      rows.alive[row] = 0;
      placement.remove(transaction, row);
    }
    firstRow[rule] = -1;
  }

  function insertRule(transaction: Transaction, rule: LiveRule, before: number): number {
    const id = freeRules.pop() ?? ruleCount++;
    if (id >= layout.rowCapacity) throw new RowsFull();
    let within = transaction;
    if (!sequence.insert(id, before)) {
      within = { ...transaction, alone: false };
      setApart(within, before);
      sequence.insert(id, before);
    }
    addRows(within, id, rule);
    return id;
  }

  /** Gives the rules around a place new numbers, and with them new rows: what readers hold keeps the old ones. */
  function setApart(transaction: Transaction, before: number): void {
    const crowd = source.rowsStay === true ? undefined : sequence.crowd(before, CROWD);
    if (crowd === undefined) throw new OrderFull();
    const rules = crowd.rules.map(readRule);
    for (const rule of crowd.rules) removeRows(transaction, rule);
    for (const [i, rule] of crowd.rules.entries()) sequence.renumber(rule, crowd.orders[i]!);
    crowd.rules.forEach((rule, i) => {
      addRows(transaction, rule, rules[i]!);
    });
  }

  function readRule(rule: number): LiveRule {
    const boxes: Box[] = [];
    const guards: { guard: number; boxes: Box[] }[] = [];
    const about = { final: false, counter: 0, action: 0 };
    for (let row = firstRow[rule]!; row >= 0; row = nextRow[row]!) {
      const { group } = parts.find(({ place }) => place === partOf[row])!;
      if (group > 0) {
        guards.push({ guard: group - 1, boxes: [boxOf(rows, row)] });
        continue;
      }
      boxes.push(boxOf(rows, row));
      const at = payloadOffset(row) / 4;
      Object.assign(about, { final: rows.final[row] === 1, counter: region[at + 1]!, action: region[at + 2]! });
    }
    return { boxes, guards, ...about };
  }

  function apply(
    transaction: Transaction,
    edits: readonly Edit[],
  ): { readonly ids: number[]; readonly gone: number[] } {
    const ids: number[] = [];
    const gone: number[] = [];
    for (const edit of edits) {
      switch (edit.kind) {
        case 'insert':
          ids.push(insertRule(transaction, edit.rule, edit.before ?? NOBODY));
          break;
        case 'remove':
          removeRows(transaction, edit.id);
          sequence.remove(edit.id);
          gone.push(edit.id);
          break;
        case 'replace':
          removeRows(transaction, edit.id);
          addRows(transaction, edit.id, edit.rule);
          break;
      }
    }
    return { ids, gone };
  }

  /** Whether one row changes. */
  function isAlone(edits: readonly Edit[]): boolean {
    const [edit] = edits;
    if (edits.length !== 1 || edit === undefined) return false;
    if (edit.kind === 'insert') return rowsOfRule(edit.rule) === 1;
    return edit.kind === 'remove' && firstRow[edit.id]! >= 0 && nextRow[firstRow[edit.id]!]! < 0;
  }

  function change(edits: readonly Edit[]): Outcome {
    if (exhausted !== undefined) return { kind: 'full', why: exhausted };
    const boxes = edits.reduce((sum, edit) => sum + (edit.kind === 'remove' ? 0 : rowsOfRule(edit.rule)), 0);
    const alone = isAlone(edits);
    const copied = parts.map((part) => bucketsCopied(part, alone));
    const copies = copied.reduce((sum, count) => sum + count, 0);
    const scarce =
      base.heap.free < Math.min(RESERVE_SLOTS, layout.heapSlots >> 3) + copies ||
      // Buckets lie side by side.
      (copies > 0 && base.heap.longest() < Math.max(...copied)) ||
      rowsTaken + boxes + CROWD > layout.rowCapacity;
    if (scarce) sweep(Number.POSITIVE_INFINITY);
    if (scarce && pending.length > 0) return { kind: 'full', why: 'waiting' };
    const transaction = beginTransaction(base, ++transactions, alone);
    let done: ReturnType<typeof apply>;
    try {
      done = apply(transaction, edits);
    } catch (error) {
      exhausted = reasonOf(error);
      return { kind: 'full', why: exhausted };
    }
    return finish(transaction, done);
  }

  /** Numbers the change, and says what is to be written. */
  function finish(transaction: Transaction, done: { readonly ids: number[]; readonly gone: number[] }): Change {
    latest++;
    const { commit } = transaction;
    const { freed, rowsFreed, dropped } = transaction;
    const last = { number: latest, freed, rowsFreed, dropped, rulesFreed: done.gone };
    let mustWait: boolean;
    if (commit === undefined) {
      const table = (active + 1) % TABLES;
      mustWait = pending.some((earlier) => earlier.table === table);
      writeTable(region, parts, active, table);
      transaction.wrote(REGION.descriptors + table * REGION.descriptorTable, REGION.descriptorTable);
      transaction.wrote(REGION.firstOrders + table * REGION.firstOrderTable, REGION.firstOrderTable);
      pending.push({ ...last, table: active, place: -1 });
      active = table;
    } else {
      mustWait = commit.place < 0 ? pending.length > 0 : !quiet(commit.place);
      pending.push({ ...last, table: -1, place: commit.place });
    }
    const store = commit === undefined ? { offset: REGION.active, value: active } : commit;
    const result: Change = {
      kind: 'change',
      number: latest,
      ids: done.ids,
      mustWait,
      writes: transaction.writes(),
      commit: { offset: store.offset, value: store.value },
    };
    if (commit === undefined) region[REGION.active / 4] = active;
    return result;
  }

  function sweep(most: number): boolean {
    const { words, heap } = base;
    return sweepTrees({ words, rows, give: heap.give }, unswept, most);
  }

  function overlayRows(): number {
    let sum = 0;
    for (const part of parts) if (isTree(part) && part.members !== undefined) sum += part.rows;
    return sum;
  }

  const { hold, ...adoption } = createAdoption({
    base,
    placement,
    treeSlots: source.parts.reduce(
      (sum, { place, part }) => sum + (parts.some((own) => own.place === place && isRuleTree(own)) ? part.slots : 0),
      0,
    ),
    begin: () => beginTransaction(base, ++transactions, false),
    finish: (transaction) => finish(transaction, { ids: [], gone: [] }),
    giveRows,
    exhausted: () => exhausted,
    exhaust(why) {
      exhausted = why;
    },
  });

  return {
    region,
    layout,
    places: parts.map((part) => {
      const at = { place: part.place, group: part.group };
      return part.kind === 'hash' ? { ...at, hash: part.hash } : at;
    }),
    rows,
    rules: ruleTotal,
    change,
    ...adoption,
    release(number, later = false) {
      const over = pending.filter((earlier) => earlier.number <= number);
      pending = pending.filter((earlier) => earlier.number > number);
      for (const { freed, rowsFreed, rulesFreed, dropped } of over) {
        unswept.push(...dropped.flatMap((root) => [1, ~root, root]));
        for (let i = 0; i < freed.length; i += 2) base.heap.give(freed[i]!, freed[i + 1]!);
        if (!hold(rowsFreed)) giveRows(rowsFreed);
        freeRules.push(...rulesFreed);
      }
      if (!later) sweep(Number.POSITIVE_INFINITY);
    },
    sweep,
    orderOf: (id) => 2 * sequence.order[id]!,
    status: () => ({
      freeSlots: base.heap.free,
      fragmentation: base.heap.fragmentation(),
      overlayRows: overlayRows(),
      zombies: placement.zombies.size,
      pending: pending.length,
    }),
    get compactionAdvised(): boolean {
      return overlayRows() > OVERLAY_ROWS / 2 || placement.zombies.size > CROWD;
    },
  };
}

function rowsOfRule(rule: LiveRule): number {
  return (rule.guards ?? []).reduce((sum, { boxes }) => sum + boxes.length, rule.boxes.length);
}
