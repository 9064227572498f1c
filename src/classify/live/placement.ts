/** Which part of a run a row goes to, and how it is taken out again. */
import type { Region } from '../cut.ts';
import { NO_ORDER, PAYLOAD } from '../image.ts';
import { hashInsert, hashRemove, hashTakes } from './hash-part.ts';
import type { LiveRows } from './live-rows.ts';
import type { LivePart } from './parts.ts';
import { payloadOffset, type Transaction } from './transaction.ts';
import { ShapeExceeded } from './tree.ts';
import { intersects, leavesFor, regionOf, type TreePart, treeInsert, treeRebuild, treeRemove } from './tree-part.ts';

export interface Placement {
  readonly parts: readonly LivePart[];
  /** Place of each row's part; -1: in none. */
  readonly partOf: Int16Array;
  /** Rows that were taken away and still lie in leaves. */
  readonly zombies: Set<number>;
  /** Puts a row where it costs least among the parts of a group. @throws ShapeExceeded */
  insert(transaction: Transaction, row: number, group: number): void;
  /** Takes out a row that is no longer alive. */
  remove(transaction: Transaction, row: number): void;
}

export interface PlacementBase {
  readonly region: Uint32Array;
  readonly rows: LiveRows;
  readonly parts: readonly LivePart[];
  readonly partOf: Int16Array;
  /** The program goes on behind a row that has no order. */
  readonly passesOver: boolean;
  /** No reader can be under way in what an earlier change replaced, but for stores of this place. */
  readonly quiet: (place: number) => boolean;
}

/** A row is put into so many leaves at most; beyond, it goes to an overlay. */
const INSERT_LEAVES = 64;
/** A row is taken out of so many leaves at most when there is another way. */
const REMOVE_LEAVES = 512;
/** Rows of an overlay at most, as long as there are others. */
export const OVERLAY_ROWS = 256;

const NONE = new Uint32Array(0);

export function isTree(part: LivePart): part is TreePart {
  return part.kind === 'tree';
}

/** A tree of rules' rows. */
export function isRuleTree(part: LivePart): part is TreePart {
  return part.kind === 'tree' && part.group === 0;
}

export function createPlacement({ region, rows, parts, partOf, passesOver, quiet }: PlacementBase): Placement {
  const byPlace = new Map(parts.map((part) => [part.place, part]));
  const zombies = new Set<number>();

  function choose(transaction: Transaction, row: number, group: number): LivePart {
    const own = parts.filter((part) => part.group === group);
    for (const part of own) {
      if (part.kind !== 'hash' || !hashTakes(part, rows, row)) continue;
      // In the table a part's first order stands, too; one store cannot lower it.
      const lowers = rows.order[row]! < part.firstOrder;
      hashInsert(part, lowers ? { ...transaction, alone: false } : transaction, row, quiet(part.place));
      return part;
    }
    const trees = own.filter(isTree);
    let best: TreePart | undefined;
    let least = INSERT_LEAVES;
    for (const part of trees) {
      if (part.root < 0 || part.members !== undefined) continue;
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
    const overlays = trees.filter((part) => part.members !== undefined);
    const overlay = overlays.find((part) => part.rows < OVERLAY_ROWS) ?? overlays.at(-1);
    if (overlay === undefined) throw new ShapeExceeded('no place for another part');
    overlay.members!.add(row);
    overlay.rows++;
    if (overlay.root >= 0 && leavesFor(overlay, transaction, row, OVERLAY_ROWS) <= OVERLAY_ROWS) {
      treeInsert(overlay, transaction, row);
    } else treeRebuild(overlay, transaction, Uint32Array.from(overlay.members!));
    return overlay;
  }

  /** Rows of the part behind this one that meet its box. */
  function behind(part: TreePart, row: number, box: Region): Uint32Array {
    const found: number[] = [];
    const order = rows.order[row]!;
    // The narrowest dimension leaves the fewest to be looked at.
    let d = 0;
    for (let other = 1; other < rows.lo.length; other++) {
      const share = (e: number): number => (box.hi[e]! - box.lo[e]! + 1) / (rows.max[e]! + 1);
      if (share(other) < share(d)) d = other;
    }
    const [los, his, low, high] = [rows.lo[d]!, rows.hi[d]!, box.lo[d]!, box.hi[d]!];
    const { count } = rows;
    for (let other = 0; other < count; other++) {
      if (los[other]! > high || his[other]! < low) continue;
      if (partOf[other] !== part.place || rows.alive[other] === 0 || rows.order[other]! < order) continue;
      if (intersects(rows, other, box)) found.push(other);
    }
    return Uint32Array.from(found);
  }

  return {
    parts,
    partOf,
    zombies,
    insert(transaction, row, group) {
      const part = choose(transaction, row, group);
      partOf[row] = part.place;
      part.firstOrder = Math.min(part.firstOrder, rows.order[row]!);
    },
    remove(transaction, row) {
      const part = byPlace.get(partOf[row]!)!;
      if (part.kind === 'hash') hashRemove(part, transaction, row, quiet(part.place));
      else {
        const box = regionOf(rows, row);
        const hidden = rows.final[row] === 1 ? behind(part, row, box) : NONE;
        const many = part.members === undefined && leavesFor(part, transaction, row, REMOVE_LEAVES) > REMOVE_LEAVES;
        if (many && passesOver && transaction.alone && hidden.length === 0) {
          const offset = payloadOffset(row) + PAYLOAD.order;
          region[offset / 4] = NO_ORDER;
          transaction.commit = { offset, value: NO_ORDER, place: -1 };
          zombies.add(row);
          return;
        }
        part.rows--;
        part.members?.delete(row);
        treeRemove(part, transaction, row, hidden);
      }
      partOf[row] = -1;
      transaction.rowsFreed.push(row);
    },
  };
}
