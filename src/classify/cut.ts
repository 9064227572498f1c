/**
 * Where to cut a list of rows: the dimension and up to seven thresholds that leave the shortest lists.
 *
 * Thresholds are ends of rows, so every cut separates something. They are found by halving three times; each
 * halving takes the threshold with the smallest left² + right², which punishes rows that have to go to both sides as well as
 * uneven halves. Of long lists only a sample is looked at.
 */
import type { Rows } from './rows.ts';

/** The part of the space that is looked at: an interval for each dimension. */
export interface Region {
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
}

/** A cut found by `findCut`; one object is used again and again. */
export interface Cut {
  /** -1: there is none. */
  dimension: number;
  readonly thresholds: Uint32Array;
  count: number;
  /** Sum of the squares of the lists' lengths, for lists of the sampled length `sampled`. */
  cost: number;
  /** Sum of the lists' lengths. */
  total: number;
  sampled: number;
}

const SAMPLE = 512;
const HALVINGS = 3;

const starts = new Uint32Array(SAMPLE);
const ends = new Uint32Array(SAMPLE);
const candidates = new Uint32Array(2 * SAMPLE);
/** Rows that start at or before candidate i, and that end at or before it. */
const startedAt = new Int32Array(2 * SAMPLE);
const endedAt = new Int32Array(2 * SAMPLE);
const chosen = new Uint32Array(8);
let chosenCount = 0;
let chosenCost = 0;
let chosenTotal = 0;

export function emptyCut(): Cut {
  return { dimension: -1, thresholds: new Uint32Array(7), count: 0, cost: 0, total: 0, sampled: 0 };
}

/** Finds the best cut of rows list[from..to) within the region. */
export function findCut(rows: Rows, list: Uint32Array, from: number, to: number, region: Region, cut: Cut): void {
  cut.dimension = -1;
  cut.cost = Number.POSITIVE_INFINITY;
  const length = to - from;
  const sampled = Math.min(length, SAMPLE);
  const step = length / sampled;
  cut.sampled = sampled;
  for (let d = 0; d < rows.lo.length; d++) {
    const found = tryDimension(rows.lo[d]!, rows.hi[d]!, list, from, sampled, step, region.lo[d]!, region.hi[d]!);
    if (!found || chosenCost >= cut.cost) continue;
    cut.dimension = d;
    cut.count = chosenCount;
    cut.cost = chosenCost;
    cut.total = chosenTotal;
    for (let i = 0; i < chosenCount; i++) cut.thresholds[i] = chosen[i]!;
  }
}

function tryDimension(
  los: Uint32Array,
  his: Uint32Array,
  list: Uint32Array,
  from: number,
  sampled: number,
  step: number,
  min: number,
  max: number,
): boolean {
  let startCount = 0;
  let endCount = 0;
  for (let i = 0; i < sampled; i++) {
    const row = list[from + (step === 1 ? i : Math.floor(i * step))]!;
    const lo = los[row]!;
    const hi = his[row]!;
    // A start at s is a threshold s - 1: the values beyond it include s.
    if (lo > min) starts[startCount++] = lo - 1;
    if (hi < max) ends[endCount++] = hi;
  }
  if (startCount + endCount === 0) return false;
  const count = mergeCandidates(startCount, endCount, sampled);
  chosenCount = 0;
  chosenCost = 0;
  chosenTotal = 0;
  halve(0, count, 0, sampled, HALVINGS);
  return true;
}

/** Sorted distinct candidates with their counts. */
function mergeCandidates(startCount: number, endCount: number, sampled: number): number {
  sortPrefix(starts, startCount);
  sortPrefix(ends, endCount);
  let i = 0;
  let j = 0;
  let count = 0;
  const before = sampled - startCount;
  while (i < startCount || j < endCount) {
    const value = i < startCount && (j >= endCount || starts[i]! <= ends[j]!) ? starts[i]! : ends[j]!;
    // A row that starts right behind the threshold is not on its left.
    startedAt[count] = before + i;
    while (i < startCount && starts[i] === value) i++;
    while (j < endCount && ends[j] === value) j++;
    candidates[count] = value;
    endedAt[count] = j;
    count++;
  }
  return count;
}

/** Cuts the candidates first..last) whose segment begins after `ended` rows ended and ends when `started` have started. */
function halve(first: number, last: number, ended: number, started: number, levels: number): void {
  let best = -1;
  let bestCost = Number.POSITIVE_INFINITY;
  if (levels > 0) {
    for (let i = first; i < last; i++) {
      const left = startedAt[i]! - ended;
      const right = started - endedAt[i]!;
      const cost = left * left + right * right;
      if (cost < bestCost) {
        bestCost = cost;
        best = i;
      }
    }
  }
  if (best < 0) {
    const length = started - ended;
    chosenCost += length * length;
    chosenTotal += length;
    return;
  }
  halve(first, best, ended, startedAt[best]!, levels - 1);
  chosen[chosenCount++] = candidates[best]!;
  halve(best + 1, last, endedAt[best]!, started, levels - 1);
}

function sortPrefix(array: Uint32Array, count: number): void {
  if (count > 24) {
    array.subarray(0, count).sort();
    return;
  }
  for (let i = 1; i < count; i++) {
    const value = array[i]!;
    let j = i - 1;
    while (j >= 0 && array[j]! > value) {
      array[j + 1] = array[j]!;
      j--;
    }
    array[j + 1] = value;
  }
}
