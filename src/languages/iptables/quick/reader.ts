/**
 * Reads lines that are like lines before them. The words of a table's lines are a tree; a value in a slot (values.ts) is one branch,
 * whatever it is. The first line that ends at a place is read by the reader of everything, the second shows whether it is a kind
 * (learn.ts), and all that come there later are rows of numbers.
 */
import type { Rule } from '../../../rules/model.ts';
import type { Slot } from '../../../rules/rule-columns.ts';
import type { MutableChain } from '../table-draft.ts';
import type { QuickRow } from './columns-builder.ts';
import type { SlotValue } from './learn.ts';
import { type ReadValue, readSlot, SLOT_OPTIONS } from './values.ts';

export interface QuickReader {
  /** Takes the line start..end), or leaves it, with nothing done, to the reader of everything. */
  take(start: number, end: number): boolean;
  /** Tells what the line that was left last turned out to be: one rule at the end of a chain. */
  learn(chain: MutableChain, rule: Rule): void;
  /** The chains of the table have changed, or their rules otherwise than at their ends. */
  forget(): void;
}

export interface QuickHost {
  /** Whether lines like this one are a kind, and its number among those of the chain. */
  kindOf(chain: MutableChain, rule: Rule, slots: readonly SlotValue[], line: QuickRow): number;
}

interface Node {
  /** The slot whose value may come next, or -1. */
  readonly slot: Slot;
  value: Node | undefined;
  words: Map<string, Node> | undefined;
  /** The word that came here last. */
  lastWord: string;
  last: Node | undefined;
  /** A line has ended here. */
  seen: boolean;
  /** Chain and number of the kind that lines of these words are. */
  chain: MutableChain | undefined;
  kind: number;
}

const BLANK = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;
const BRACKET = 0x5b;
const COLON = 0x3a;
const CLOSE = 0x5d;
const ZERO = 0x30;
/** Digits of numbers below 2^53. */
const SAFE_DIGITS = 15;
/** The tree grows no more from here on; if less than one line of so many was like others by then, the table is read as it comes. */
const MOST_NODES = 1 << 14;
const LIKE_OTHERS = 4;
/** So often changed, a table is read as it comes. */
const MOST_CHANGES = 64;

/** Without `-s` and `-d` as slots where addresses have more than 32 bits. */
export function createQuickReader(text: string, addresses: boolean, host: QuickHost): QuickReader {
  let nodes = 0;
  let changes = 0;
  let lines = 0;
  let taken = 0;
  let plain = newNode(-1);
  let counted = newNode(-1);
  let pending: Node | undefined;
  const slots: Slot[] = [];
  const value: ReadValue = { lo: 0, hi: 0, canonical: false };
  const row: QuickRow = {
    start: 0,
    end: 0,
    head: 0,
    packets: 0,
    bytes: 0,
    lo: new Float64Array(4),
    hi: new Float64Array(4),
    canonical: false,
  };

  const slotBehind = (word: string): Slot => {
    const slot = SLOT_OPTIONS.get(word) ?? -1;
    return slot < 2 && !addresses ? -1 : slot;
  };

  /** The place behind `[packets:bytes] `, or -1. */
  const readCounters = (start: number): number => {
    const colon = readNumber(text, start + 1);
    row.packets = read;
    if (colon < 0 || text.charCodeAt(colon) !== COLON) return -1;
    const close = readNumber(text, colon + 1);
    row.bytes = read;
    if (close < 0 || text.charCodeAt(close) !== CLOSE || text.charCodeAt(close + 1) !== BLANK) return -1;
    return close + 2;
  };

  /** Where the line ends in the tree; undefined where it cannot be told from its words alone. */
  const follow = (start: number, end: number): Node | undefined => {
    let at = start;
    let node = plain;
    row.start = start;
    row.end = end;
    row.packets = 0;
    row.bytes = 0;
    row.canonical = true;
    slots.length = 0;
    if (text.charCodeAt(at) === BRACKET) {
      at = readCounters(start);
      if (at < 0) return undefined;
      node = counted;
    }
    row.head = at - start;
    while (at < end) {
      let next = node.slot < 0 ? -1 : readSlot(node.slot, text, at, value);
      if (next > 0 && (next === end || text.charCodeAt(next) === BLANK)) {
        row.lo[node.slot] = value.lo;
        row.hi[node.slot] = value.hi;
        row.canonical &&= value.canonical;
        slots.push(node.slot);
        node = node.value ??= newNode(-1);
      } else if (
        node.last !== undefined &&
        text.startsWith(node.lastWord, at) &&
        endsAt(at + node.lastWord.length, end)
      ) {
        next = at + node.lastWord.length;
        node = node.last;
      } else {
        next = wordEnd(text, at, end);
        if (next <= at) return undefined;
        const word = text.slice(at, next);
        node.words ??= new Map();
        let child = node.words.get(word);
        if (child === undefined) {
          if (nodes === MOST_NODES) return undefined;
          nodes++;
          child = newNode(slotBehind(word));
          node.words.set(word, child);
        }
        node.lastWord = word;
        node.last = child;
        node = child;
      }
      if (next === end) return node;
      // One blank, and a word behind it.
      at = next + 1;
    }
    return undefined;
  };

  const endsAt = (at: number, end: number): boolean => at === end || text.charCodeAt(at) === BLANK;

  return {
    take(start, end) {
      pending = undefined;
      if (changes > MOST_CHANGES) return false;
      lines++;
      if (nodes === MOST_NODES && taken * LIKE_OTHERS < lines) {
        plain = newNode(-1);
        counted = newNode(-1);
        changes = MOST_CHANGES + 1;
        return false;
      }
      const node = follow(start, end);
      if (node === undefined) return false;
      if (node.chain !== undefined) {
        // Its rules were asked for in between.
        if (node.chain.columns === undefined) return false;
        node.chain.columns.add(node.kind, row);
        taken++;
        return true;
      }
      if (node.seen) pending = node;
      node.seen = true;
      return false;
    },
    learn(chain, rule) {
      const node = pending;
      pending = undefined;
      if (node === undefined || node.kind >= 0) return;
      const found = slots.map((slot) => ({ slot, lo: row.lo[slot]!, hi: row.hi[slot]! }));
      const kind = host.kindOf(chain, rule, found, row);
      // What is none is not asked again.
      node.kind = Math.max(0, kind);
      if (kind >= 0) node.chain = chain;
    },
    forget() {
      pending = undefined;
      if (nodes === 0) return;
      changes++;
      nodes = 0;
      plain = newNode(-1);
      counted = newNode(-1);
    },
  };
}

function newNode(slot: Slot): Node {
  return {
    slot,
    value: undefined,
    words: undefined,
    lastWord: '',
    last: undefined,
    seen: false,
    chain: undefined,
    kind: -1,
  };
}

/** The blank or the end behind a word; `at` itself where that is no plain word. */
function wordEnd(text: string, at: number, end: number): number {
  for (let next = at; next < end; next++) {
    const code = text.charCodeAt(next);
    if (code === BLANK) return next;
    if (code === TAB || code === QUOTE) return at;
  }
  return end;
}

/** What readNumber read. */
let read = 0;

function readNumber(text: string, from: number): number {
  let at = from;
  let number = 0;
  for (let digit = text.charCodeAt(at) - ZERO; digit >= 0 && digit <= 9; digit = text.charCodeAt(at) - ZERO) {
    number = number * 10 + digit;
    if (++at - from > SAFE_DIGITS) return -1;
  }
  read = number;
  return at === from ? -1 : at;
}
