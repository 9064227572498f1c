/**
 * A run whose memory changes one rule at a time (docs/classification.md, "Memory that can be changed in place").
 *
 * The region is kept as a copy here; a change is a list of writes and one store. What a change has replaced is used again once
 * it is released, that is, when no reader that began before its store is left.
 */
import { encodeRegion, NO_ORDER, PAYLOAD, type PlacedPart, REGION, type RegionLayout, TABLES } from '../image.ts';
import type { Rows } from '../rows.ts';
import type { Change, Edit, LiveRule, Outcome, Refusal } from './change.ts';
import { hashInsert, hashRemove, hashTakes } from './hash-part.ts';
import { createHeap } from './heap.ts';
import { createLiveRows, type LiveRows } from './live-rows.ts';
import { type LivePart, startParts, writeTable } from './parts.ts';
import { heapOf, type Place } from './read.ts';
import { OrderFull, RowsFull, reasonOf } from './reasons.ts';
import { createSequence, NOBODY } from './sequence.ts';
import { beginTransaction, payloadOffset, type Transaction } from './transaction.ts';
import { type LiveLimits, ShapeExceeded } from './tree.ts';
import { intersects, leavesFor, regionOf, type TreePart, treeInsert, treeRebuild, treeRemove } from './tree-part.ts';

export interface LiveSource {
  readonly rows: Rows;
  readonly parts: readonly PlacedPart[];
  /** Places for trees that hold nothing yet; at least one. Rows that fit nowhere else go there. */
  readonly spare: readonly number[];
  readonly layout: RegionLayout;
  readonly limits: LiveLimits;
  /** By row: what the payload says of it. */
  readonly counter: (row: number) => number;
  readonly action: (row: number) => number;
}

export interface LiveRun {
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
  release(number: number): void;
  /** The order of a rule, as look-ups begin at it or behind it. */
  orderOf(id: number): number;
  status(): LiveStatus;
}

export interface LiveStatus {
  readonly freeSlots: number;
  readonly fragmentation: number;
  /** Rows in parts that take what fits nowhere else. */
  readonly overlayRows: number;
  /** Rows that were taken away and still lie in leaves. */
  readonly zombies: number;
  /** Changes that were not released. */
  readonly pending: number;
  readonly compactionAdvised: boolean;
}

/** A row is put into so many leaves at most; beyond, it goes to an overlay. */
const INSERT_LEAVES = 64;
/** A row is taken out of so many leaves at most when there is another way. */
const REMOVE_LEAVES = 512;
/** Rows of an overlay at most, as long as there are others. */
const OVERLAY_ROWS = 256;
/** Free slots below which a change waits for those that are not released. */
const RESERVE_SLOTS = 4096;
/** Rules whose numbers are set apart again at once. */
const CROWD = 64;

interface Pending {
  readonly number: number;
  readonly freed: readonly number[];
  readonly rowsFreed: readonly number[];
  readonly rulesFreed: readonly number[];
  /** The table that it replaced, or the place of its store. */
  readonly table: number;
  readonly place: number;
}

/** @throws RangeError when the source does not fit its layout */
export function createLiveRun(source: LiveSource): LiveRun {
  const { layout, limits } = source;
  const entries = [...new Set(source.rows.entry)];
  const ruleOf = new Map(entries.map((entry, rule) => [entry, rule]));
  const sequence = createSequence(entries.length, layout.rowCapacity);
  const initial: Rows = { ...source.rows, entry: source.rows.entry.map((entry) => ruleOf.get(entry)!) };
  const rows = createLiveRows(initial, (row) => sequence.order[initial.entry[row]!]!, layout.rowCapacity);
  const numbers = { count: initial.count, order: rows.order };
  const counter = Uint32Array.from({ length: initial.count }, (_, row) => source.counter(row));
  const action = Uint32Array.from({ length: initial.count }, (_, row) => source.action(row));
  const region = new Uint32Array(encodeRegion(layout, source.parts, { ...numbers, counter, action }).buffer);
  const used = source.parts.reduce((sum, { part }) => sum + part.slots, 0);
  const base = {
    region,
    heapOffset: layout.heap,
    heap: createHeap(layout.heapSlots, used),
    words: heapOf(region, layout),
    rows,
    limits,
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
  const hashes = parts.filter((part) => part.kind === 'hash');
  const trees = parts.filter((part) => part.kind === 'tree' && part.members === undefined) as TreePart[];
  const overlays = parts.filter((part) => part.kind === 'tree' && part.members !== undefined) as TreePart[];
  const byPlace = new Map(parts.map((part) => [part.place, part]));
  const freeRules: number[] = [];
  let ruleCount = entries.length;
  let rowsTaken = initial.count;
  let pending: Pending[] = [];
  let latest = 0;
  let active = 0;
  let exhausted: Refusal['why'] | undefined;
  let zombies = 0;

  function quiet(place: number): boolean {
    return pending.every((earlier) => earlier.place === place);
  }

  function addRow(transaction: Transaction, rule: number, index: number, what: LiveRule): void {
    const row = rows.take(what.boxes[index]!, rule, sequence.order[rule]!, what.final);
    if (row < 0) throw new RowsFull();
    rowsTaken++;
    nextRow[row] = firstRow[rule]!;
    firstRow[rule] = row;
    const offset = payloadOffset(row);
    region.set([sequence.order[rule]!, what.counter, what.action, 0], offset / 4);
    transaction.wrote(offset, REGION.rowBytes);
    const part = placeRow(transaction, row);
    partOf[row] = part.place;
    part.firstOrder = Math.min(part.firstOrder, rows.order[row]!);
  }

  /** Puts the row where it costs least. */
  function placeRow(transaction: Transaction, row: number): LivePart {
    for (const part of hashes) {
      if (!hashTakes(part, rows, row)) continue;
      // In the table a part's first order stands, too; one store cannot lower it.
      const lowers = rows.order[row]! < part.firstOrder;
      hashInsert(part, lowers ? { ...transaction, alone: false } : transaction, row, quiet(part.place));
      return part;
    }
    let best: TreePart | undefined;
    let least = INSERT_LEAVES;
    for (const part of trees) {
      if (part.root < 0) continue;
      const met = leavesFor(part, transaction, row, least);
      if (met > least || (met === least && best !== undefined)) continue;
      best = part;
      least = met;
    }
    if (best !== undefined) {
      treeInsert(best, transaction, row);
      best.rows++;
      return best;
    }
    const overlay = overlays.find((part) => part.rows < OVERLAY_ROWS) ?? overlays.at(-1);
    if (overlay === undefined) throw new ShapeExceeded('no place for another part');
    overlay.members!.add(row);
    overlay.rows++;
    if (overlay.root >= 0 && leavesFor(overlay, transaction, row, OVERLAY_ROWS) <= OVERLAY_ROWS) {
      treeInsert(overlay, transaction, row);
    } else treeRebuild(overlay, transaction, Uint32Array.from(overlay.members!));
    return overlay;
  }

  function removeRow(transaction: Transaction, row: number): void {
    const part = byPlace.get(partOf[row]!)!;
    rows.alive[row] = 0;
    if (part.kind === 'hash') hashRemove(part, transaction, row, quiet(part.place));
    else if (!removeFromTree(part, transaction, row)) return;
    partOf[row] = -1;
    transaction.rowsFreed.push(row);
  }

  /** False when the row stays in its leaves, without an order. */
  function removeFromTree(part: TreePart, transaction: Transaction, row: number): boolean {
    const box = regionOf(rows, row);
    const hidden = rows.final[row] === 1 ? behind(part, row) : NONE;
    if (part.members === undefined && transaction.alone && hidden.length === 0) {
      if (leavesFor(part, transaction, row, REMOVE_LEAVES) > REMOVE_LEAVES) {
        const offset = payloadOffset(row) + PAYLOAD.order;
        region[offset / 4] = NO_ORDER;
        transaction.commit = { offset, value: NO_ORDER, place: -1 };
        zombies++;
        return false;
      }
    }
    part.rows--;
    part.members?.delete(row);
    treeRemove(part, transaction, row, hidden);
    return true;

    function behind(where: TreePart, final: number): Uint32Array {
      const found: number[] = [];
      const order = rows.order[final]!;
      for (let other = 0; other < rows.count; other++) {
        if (partOf[other] !== where.place || rows.order[other]! < order || rows.alive[other] === 0) continue;
        if (intersects(rows, other, box)) found.push(other);
      }
      return Uint32Array.from(found);
    }
  }

  function removeRows(transaction: Transaction, rule: number): void {
    for (let row = firstRow[rule]!; row >= 0; row = nextRow[row]!) removeRow(transaction, row);
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
    for (let i = rule.boxes.length - 1; i >= 0; i--) addRow(within, id, i, rule);
    return id;
  }

  /** Gives the rules around a place new numbers, and with them new rows: what readers hold keeps the old ones. */
  function setApart(transaction: Transaction, before: number): void {
    const crowd = sequence.crowd(before, CROWD);
    if (crowd === undefined) throw new OrderFull();
    const rules = crowd.rules.map((rule) => readRule(rule));
    for (const rule of crowd.rules) removeRows(transaction, rule);
    crowd.rules.forEach((rule, i) => {
      sequence.renumber(rule, crowd.orders[i]!);
    });
    crowd.rules.forEach((rule, i) => {
      for (let box = 0; box < rules[i]!.boxes.length; box++) addRow(transaction, rule, box, rules[i]!);
    });
  }

  function readRule(rule: number): LiveRule {
    const boxes: LiveRule['boxes'][number][] = [];
    for (let row = firstRow[rule]!; row >= 0; row = nextRow[row]!) {
      boxes.push(rows.lo.map((column, d) => [column[row]!, rows.hi[d]![row]!]));
    }
    const row = firstRow[rule]!;
    const at = payloadOffset(Math.max(0, row)) / 4;
    return { boxes, final: row >= 0 && rows.final[row] === 1, counter: region[at + 1]!, action: region[at + 2]! };
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
          for (let i = edit.rule.boxes.length - 1; i >= 0; i--) addRow(transaction, edit.id, i, edit.rule);
          break;
      }
    }
    return { ids, gone };
  }

  /** Whether one row changes. */
  function isAlone(edits: readonly Edit[]): boolean {
    const [edit] = edits;
    if (edits.length !== 1 || edit === undefined) return false;
    if (edit.kind === 'insert') return edit.rule.boxes.length === 1;
    return edit.kind === 'remove' && firstRow[edit.id]! >= 0 && nextRow[firstRow[edit.id]!]! < 0;
  }

  function change(edits: readonly Edit[]): Outcome {
    if (exhausted !== undefined) return { kind: 'full', why: exhausted };
    const boxes = edits.reduce((sum, edit) => sum + (edit.kind === 'remove' ? 0 : edit.rule.boxes.length), 0);
    const copies = hashes.reduce((sum, { hash }) => sum + (1 << hash.bits), 0);
    const scarce = base.heap.free < RESERVE_SLOTS + copies || rowsTaken + boxes + CROWD > layout.rowCapacity;
    if (scarce && pending.length > 0) return { kind: 'full', why: 'waiting' };
    const transaction = beginTransaction(base, isAlone(edits));
    let done: ReturnType<typeof apply>;
    try {
      done = apply(transaction, edits);
    } catch (error) {
      exhausted = reasonOf(error);
      return { kind: 'full', why: exhausted };
    }
    latest++;
    const { commit } = transaction;
    const { freed, rowsFreed } = transaction;
    const last = { number: latest, freed, rowsFreed, rulesFreed: done.gone };
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

  return {
    region,
    layout,
    places: parts.map((part) =>
      part.kind === 'hash' ? { place: part.place, hash: part.hash } : { place: part.place },
    ),
    rows,
    rules: entries.length,
    change,
    release(number) {
      const over = pending.filter((earlier) => earlier.number <= number);
      pending = pending.filter((earlier) => earlier.number > number);
      for (const { freed, rowsFreed, rulesFreed } of over) {
        for (let i = 0; i < freed.length; i += 2) base.heap.give(freed[i]!, freed[i + 1]!);
        for (const row of rowsFreed) rows.give(row);
        rowsTaken -= rowsFreed.length;
        freeRules.push(...rulesFreed);
      }
    },
    orderOf: (id) => sequence.order[id]!,
    status() {
      const overlayRows = overlays.reduce((sum, part) => sum + part.rows, 0);
      return {
        freeSlots: base.heap.free,
        fragmentation: base.heap.fragmentation(),
        overlayRows,
        zombies,
        pending: pending.length,
        compactionAdvised: overlayRows > OVERLAY_ROWS / 2 || zombies > CROWD,
      };
    },
  };
}

const NONE = new Uint32Array(0);
