/**
 * A run whose memory changes one rule at a time (docs/classification.md, "Memory that can be changed in place").
 *
 * The region is kept as a copy here; a change is a list of writes and one store. What a change has replaced is used again once
 * it is released, that is, when no reader that began before its store is left.
 */
import { encodeRegion, type PlacedPart, REGION, type RegionLayout, TABLES } from '../image.ts';
import type { Part } from '../part.ts';
import type { Rows } from '../rows.ts';
import type { Change, Edit, LiveRule, Outcome, Refusal } from './change.ts';
import { misfit, replaceTrees, type Snapshot, takeSnapshot } from './compaction.ts';
import { bucketsCopied } from './hash-part.ts';
import { createHeap } from './heap.ts';
import { createLiveRows, type LiveRows } from './live-rows.ts';
import { startParts, writeTable } from './parts.ts';
import { createPlacement, isTree, OVERLAY_ROWS } from './placement.ts';
import { heapOf, type Place } from './read.ts';
import { OrderFull, RowsFull, reasonOf } from './reasons.ts';
import { createSequence, NOBODY } from './sequence.ts';
import { beginTransaction, payloadOffset, type Transaction } from './transaction.ts';
import type { LiveLimits } from './tree.ts';

export interface LiveSource {
  readonly rows: Rows;
  readonly parts: readonly PlacedPart[];
  /** Places for trees that hold nothing yet; at least one. Rows that fit nowhere else go there. */
  readonly spare: readonly number[];
  readonly layout: RegionLayout;
  readonly limits: LiveLimits;
  /** The program goes on behind a row that matches and has no order (NO_ORDER): wide rows can be taken away with one store. */
  readonly passesOver: boolean;
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
  /** The rows that lie in trees, to be built anew while the run goes on changing; kept until `adopt`. */
  snapshot(): Snapshot;
  /** Puts trees of the snapshot's rows (`buildParts` or `buildClassifier`, 'trees') in the place of those there are. A refusal of them changes nothing. */
  adopt(built: readonly Part[]): Outcome;
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
  const { count } = source.rows;
  const entry = new Uint32Array(count);
  const counter = new Uint32Array(count);
  const action = new Uint32Array(count);
  for (let row = 0; row < count; row++) {
    // Entries ascend, so rules are numbered by where they change.
    if (row > 0) entry[row] = entry[row - 1]! + (source.rows.entry[row] === source.rows.entry[row - 1] ? 0 : 1);
    counter[row] = source.counter(row);
    action[row] = source.action(row);
  }
  const ruleTotal = count === 0 ? 0 : entry[count - 1]! + 1;
  const sequence = createSequence(ruleTotal, layout.rowCapacity);
  const initial: Rows = { ...source.rows, entry };
  const rows = createLiveRows(initial, (row) => sequence.order[entry[row]!]!, layout.rowCapacity);
  const payload = { count, order: rows.order, counter, action };
  const region = new Uint32Array(encodeRegion(layout, source.parts, payload).buffer);
  const used = source.parts.reduce((sum, { part }) => sum + part.slots, 0);
  const base = {
    region,
    heapOffset: layout.heap,
    heap: createHeap(layout.heapSlots, used),
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
  let rowsTaken = initial.count;
  let pending: Pending[] = [];
  let latest = 0;
  let transactions = 0;
  let active = 0;
  let exhausted: Refusal['why'] | undefined;
  let opened: Snapshot | undefined;
  /** Ids that are free but for the snapshot. */
  const held: number[] = [];

  function giveRows(free: readonly number[]): void {
    for (const row of free) rows.give(row);
    rowsTaken -= free.length;
  }

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
    placement.insert(transaction, row);
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
    const alone = isAlone(edits);
    const copies = parts.reduce((sum, part) => sum + bucketsCopied(part, alone), 0);
    const scarce = base.heap.free < RESERVE_SLOTS + copies || rowsTaken + boxes + CROWD > layout.rowCapacity;
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

  /** The rows in trees, for `adopt`. */
  function snapshot(): Snapshot {
    opened = takeSnapshot(rows, (row) => parts.some((part) => isTree(part) && part.place === partOf[row]));
    return opened;
  }

  function adopt(built: readonly Part[]): Outcome {
    if (exhausted !== undefined) return { kind: 'full', why: exhausted };
    const taken = opened;
    if (taken === undefined) throw new RangeError('no snapshot was taken');
    opened = undefined;
    const transaction = beginTransaction(base, ++transactions, false);
    const late: number[] = [];
    const early = new Uint8Array(rows.count);
    for (const id of taken.ids) early[id] = 1;
    const trees = parts.filter(isTree);
    for (let row = 0; row < rows.count; row++) {
      if (rows.alive[row] === 1 && early[row] === 0 && trees.some(({ place }) => place === partOf[row])) late.push(row);
    }
    let why: Refusal['why'] | undefined = misfit(built, parts, limits);
    const bases: number[] = [];
    try {
      if (why === undefined) for (const part of built) bases.push(transaction.take(part.slots));
    } catch (error) {
      why = reasonOf(error);
    }
    if (why !== undefined) {
      bases.forEach((first, i) => {
        base.heap.give(first, built[i]!.slots);
      });
      giveRows(held.splice(0));
      return { kind: 'full', why };
    }
    try {
      replaceTrees(transaction, trees, built, bases, taken, partOf);
      transaction.rowsFreed.push(...placement.zombies);
      placement.zombies.clear();
      // Taken away since: the new trees know them yet. Their ids were kept from others, and each hides what it hid until its turn comes.
      const gone = taken.ids.filter((row) => rows.alive[row] === 0);
      for (const row of gone) rows.alive[row] = 1;
      for (const row of gone) {
        rows.alive[row] = 0;
        placement.remove({ ...transaction, rowsFreed: [] }, row);
      }
      for (const row of late) placement.insert(transaction, row);
      giveRows(held.splice(0));
    } catch (error) {
      exhausted = reasonOf(error);
      return { kind: 'full', why: exhausted };
    }
    return finish(transaction, { ids: [], gone: [] });
  }

  return {
    region,
    layout,
    places: parts.map((part) =>
      part.kind === 'hash' ? { place: part.place, hash: part.hash } : { place: part.place },
    ),
    rows,
    rules: ruleTotal,
    change,
    snapshot,
    adopt,
    release(number) {
      const over = pending.filter((earlier) => earlier.number <= number);
      pending = pending.filter((earlier) => earlier.number > number);
      for (const { freed, rowsFreed, rulesFreed } of over) {
        for (let i = 0; i < freed.length; i += 2) base.heap.give(freed[i]!, freed[i + 1]!);
        if (opened === undefined) giveRows(rowsFreed);
        else held.push(...rowsFreed);
        freeRules.push(...rulesFreed);
      }
    },
    orderOf: (id) => sequence.order[id]!,
    status() {
      const overlays = parts.filter(isTree).filter(({ members }) => members !== undefined);
      const overlayRows = overlays.reduce((sum, part) => sum + part.rows, 0);
      return {
        freeSlots: base.heap.free,
        fragmentation: base.heap.fragmentation(),
        overlayRows,
        zombies: placement.zombies.size,
        pending: pending.length,
        compactionAdvised: overlayRows > OVERLAY_ROWS / 2 || placement.zombies.size > CROWD,
      };
    },
  };
}
