/**
 * A run as memory and shape: what a program reads (image.ts) and what it has in its code (shape.ts).
 */
import type { PolicyRule } from '../policy/ir.ts';
import { counterAt, type RuleSequence, ruleLike } from '../policy/policy-columns.ts';
import { buildClassifier, buildParts, type Choice } from './classifier.ts';
import type { Run } from './extract.ts';
import { buildApartOnly } from './forest.ts';
import { encodeRegion, PART_PLACES, type Payload, type PlacedPart, regionLayout } from './image.ts';
import { encodeRecords } from './lanes.ts';
import { rankEntries } from './live/parts.ts';
import { createSequence } from './live/sequence.ts';
import { orderBefore, orderedOrder, orderedPays } from './ordered.ts';
import type { Part } from './part.ts';
import { joinRows, type Rows } from './rows.ts';
import { runActions } from './run-actions.ts';
import { ACTIONS, GUARD_PLACES, MAX_RULE_PARTS, type RunShape, type ShapePlace, SPARE_PLACES } from './shape.ts';
import type { SharedCode } from './shared-code.ts';

export interface RunTable {
  readonly shape: RunShape;
  /** Rows by id: the rules' rows, then each guard's. */
  readonly rows: Rows;
  readonly payload: Payload;
  readonly parts: readonly PlacedPart[];
  /** The region's first contents. */
  readonly region: Uint8Array<ArrayBuffer>;
}

export interface RunTableOptions {
  readonly choice: Choice;
  /** Byte offset of a rule's counter from a CPU's first. */
  readonly counterOffset: (rule: Pick<PolicyRule, 'counter'>) => number;
  /** What rules need to share their code; without it every rule whose code is not the action alone has its own. */
  readonly shared?: SharedCode;
}

/** Dimensions that a program keeps a key of. */
export const MAX_KEY = 16;
/** Inner slots on a path: CUT_TREE_LIMITS, and one that leads to a long leaf. */
const MAX_DEPTH = 17;
/** Longer leaves are left to linear code. */
const MAX_LEAF_SLOTS = 1 << 16;
/** Above this share of rules that let a packet go on, linear code is no worse. */
const MAY_GO_ON = 0.5;
/** With as many rules it surely is. */
const SURELY = 4000;
/** With as many rules that have conditions beside their boxes it is too much code. */
const MUCH_CODE = 500;

/** The table of a run of a chain's rules; undefined when its rules had better run one after the other. */
export function buildRunTable(
  rules: RuleSequence,
  run: Run,
  { choice, counterOffset, shared }: RunTableOptions,
): RunTable | undefined {
  if (run.dimensions.length > MAX_KEY || run.dimensions.length === 0) return undefined;
  if (choice === 'auto' && isBetterAsCode(run)) return undefined;
  const ordered = choice === 'ordered' || (choice === 'auto' && orderedPays(run.rows));
  const classifier = buildClassifier(run.rows, ordered ? 'ordered' : choice);
  if (classifier.kind === 'linear' || classifier.parts.length > MAX_RULE_PARTS) return undefined;

  const rows = joinRows([run.rows, ...run.guards.map((guard) => guard.rows)]);
  const { parts, places, guards } = place(classifier.parts, rows, run, choice, ordered);
  if (places.length > PART_PLACES) return undefined;
  const longest = Math.max(...parts.map(({ part }) => part.longestLeaf));
  if (longest > MAX_LEAF_SLOTS) return undefined;
  const slots = parts.reduce((sum, { part }) => sum + part.slots, 0);
  const buckets = parts.reduce((sum, { part }) => sum + (part.hash === undefined ? 0 : 1 << part.hash.bits), 0);
  const layout = regionLayout(withRoom(rows.count), Math.ceil(ROOM * slots) + LEAST_ROOM + COPIES * buckets);
  const { actions, ofEntry } = runActions(rules, run, shared);
  const payload = payloadOf(rules, run, rows, ofEntry, { counterOffset, ordered, ...(shared && { shared }) });
  const shape: RunShape = {
    dimensions: run.dimensions,
    plan: classifier.plan,
    layout,
    places,
    guards,
    broken: run.broken,
    actions,
    maxDepth: MAX_DEPTH,
    maxLeafSlots: 2 ** Math.max(3, Math.ceil(Math.log2(longest * 1.5))),
  };
  return { shape, rows, payload, parts, region: encodeRegion(layout, parts, payload) };
}

function isBetterAsCode({ rows, residual }: Run): boolean {
  return rows.count < SURELY && residual.size < MUCH_CODE && goingOn(rows) > MAY_GO_ON * rows.count;
}

function goingOn(rows: Rows): number {
  let count = 0;
  for (const final of rows.final) count += 1 - final;
  return count;
}

/** Slots for each that is in use at first: changes write beside the old, and compaction beside all of it. */
const ROOM = 2.5;
/** And free besides. */
const LEAST_ROOM = 2048;
/** Copies of a hash's buckets, one for each change that goes by before those of the first are given back. */
const COPIES = 6;

/** Room for what is added later. */
function withRoom(used: number): number {
  return Math.ceil(used * 1.25) + 64;
}

function place(
  main: readonly Part[],
  rows: Rows,
  run: Run,
  choice: Choice,
  ordered: boolean,
): Pick<RunTable, 'parts'> & Pick<RunShape, 'places' | 'guards'> {
  const parts: PlacedPart[] = [];
  const places: ShapePlace[] = [];
  const put = (own: readonly Part[], spare: number): { from: number; to: number } => {
    const from = places.length;
    for (const part of own) {
      parts.push({ place: places.length, part });
      places.push(part.hash === undefined ? {} : { hash: part.hash });
    }
    for (let i = 0; i < spare; i++) places.push({});
    return { from, to: places.length };
  };
  put(main, ordered ? 0 : SPARE_PLACES);
  if (ordered) places[0] = { ordered };
  const records = run.guards.length === 0 ? undefined : encodeRecords(rows);
  let first = run.rows.count;
  const guards = run.guards.map(({ hotdrop, rows: { count } }) => {
    const list = Uint32Array.from({ length: count }, (_, i) => first + i);
    first += count;
    // Not joined: few packets come here, and joining costs as much time again as building.
    const own = choice === 'hashes' ? buildParts(rows, records!, list, 'auto') : buildApartOnly(rows, records!, list);
    return { hotdrop, ...put(own, Math.max(1, GUARD_PLACES - own.length)) };
  });
  return { parts, places, guards };
}

interface PayloadOptions extends Omit<RunTableOptions, 'choice'> {
  readonly ordered: boolean;
}

/** Orders as a live run begins with (live/live-run.ts), or as an ordered part needs them; at one entry the guard's comes right before the rule's. */
function payloadOf(
  rules: RuleSequence,
  run: Run,
  rows: Rows,
  actionOf: Uint32Array,
  { counterOffset, shared, ordered }: PayloadOptions,
): Payload {
  const ranked = rankEntries(rows);
  const sequence = createSequence(ranked.rules, ranked.rules);
  const order = new Uint32Array(rows.count);
  const counter = new Uint32Array(rows.count);
  const action = new Uint32Array(rows.count);
  const parameter = new Uint32Array(rows.count);
  for (let row = 0; row < rows.count; row++) {
    const entry = rows.entry[row]!;
    const guard = row >= run.rows.count;
    if (ordered) order[row] = guard ? orderBefore(run.rows, entry) : orderedOrder(run.rows, entry);
    else order[row] = 2 * sequence.order[ranked.entry[row]!]! - (guard ? 1 : 0);
    action[row] = guard ? ACTIONS.hotdrop : actionOf[entry]!;
    if (guard) continue;
    counter[row] = counterOffset({ counter: counterAt(rules, run.from + entry) });
    if (shared !== undefined) parameter[row] = shared.parameterOf(ruleLike(rules, run.from + entry));
  }
  return { count: rows.count, order, counter, action, parameter };
}
