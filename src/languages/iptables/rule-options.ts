/** The base options of a rule: -s -d -i -o -p -f -c, -m, -j and -g. */

import type { MatchExtension, TargetExtension } from '../../extensions/contract.ts';
import { findMatch, findTarget } from '../../extensions/registry.ts';
import type { Target } from '../../rules/model.ts';
import { parseCounterPair } from './counters.ts';
import { matchNameOf, removedTarget } from './extension-names.ts';
import { FAMILY_LABEL, readInterface, readProtocolWord } from './ip-part.ts';
import { type LineContext, type RuleDraft, seenOption, takeInvert } from './rule-draft.ts';
import type { Scanner } from './scanner.ts';
import { type Word, wordFrom } from './words.ts';

const VERDICTS = ['ACCEPT', 'DROP', 'RETURN', 'QUEUE'] as const;
type Verdict = (typeof VERDICTS)[number];

/** Options that `!` may stand before. */
const INVERTIBLE = 'sdiopf';
/** Options that may be given once. -g counts as -j. */
const ONCE = 'sdiopfjc';

/** Reads one rule option into the draft; what is wrong is reported, and the rest of the line can still be read. */
export function readRuleOption(
  letter: string,
  word: Word,
  value: Word,
  draft: RuleDraft,
  scanner: Scanner,
  ctx: LineContext,
): void {
  const { report } = ctx;
  const invert = takeInvert(draft);
  if (invert !== undefined && !INVERTIBLE.includes(letter)) {
    report.add('cannot-invert', invert, { option: word.text });
  }
  const key = letter === 'g' ? 'j' : letter;
  const earlier = seenOption(draft, key);
  if (earlier !== undefined && ONCE.includes(key)) {
    report.add('repeated-option', word, { option: word.text }, [
      { message: 'first given here', span: report.span(earlier) },
    ]);
    return;
  }
  draft.seen.push({ letter: key, word });
  const negated = invert !== undefined;
  const span = report.span(value);
  switch (letter) {
    case 's':
      draft.sources = { word: value, invert };
      return;
    case 'd':
      draft.destinations = { word: value, invert };
      return;
    case 'i':
    case 'o': {
      const name = readInterface(value, report);
      if (name === undefined) return;
      const selector = Object.freeze({ value: name, invert: negated, span });
      draft.ip[letter === 'i' ? 'inInterface' : 'outInterface'] = selector;
      return;
    }
    case 'p': {
      const number = readProtocolWord(value, negated, report);
      // For IPv6 even "all" matters: with any -p the extension headers are walked.
      if (number === undefined || (number === 0 && ctx.family === 'ipv4')) return;
      draft.ip.protocol = Object.freeze({ value: number, invert: negated, span });
      return;
    }
    case 'f':
      if (ctx.family === 'ipv6') {
        report.add('wrong-family', word, { what: '-f', family: 'IPv6' });
        return;
      }
      draft.ip.fragment = Object.freeze({ invert: negated, span: report.span(word) });
      return;
    case 'c':
      readCounters(word, value, draft, scanner, ctx);
      return;
    case 'm':
      loadMatch(value, draft, ctx);
      return;
    case 'g':
      readGoto(value, draft, ctx);
      return;
    case 'j':
      readJump(value, draft, ctx);
      return;
  }
}

/** `-c 5 6` or `-c 5,6`. */
function readCounters(word: Word, value: Word, draft: RuleDraft, scanner: Scanner, ctx: LineContext): void {
  const comma = value.text.indexOf(',');
  const packets = comma === -1 ? value.text : value.text.slice(0, comma);
  const bytes = comma === -1 ? scanner.takeArgument() : wordFrom(value, comma + 1);
  if (bytes === undefined) {
    ctx.report.add('missing-value', word, { option: `${word.text} PACKETS BYTES` });
    return;
  }
  const counters = parseCounterPair(packets, bytes.text);
  if (counters === undefined) {
    ctx.report.add('bad-counters', { start: value.start, end: bytes.end }, { text: `${packets}:${bytes.text}` });
    return;
  }
  draft.counters = counters;
}

function load(extension: MatchExtension | TargetExtension, word: Word, draft: RuleDraft): void {
  const use = { extension, word, given: [], failed: false };
  draft.uses.push(use);
  if (extension.kind === 'target') draft.targetUse = use;
}

function loadMatch(word: Word, draft: RuleDraft, ctx: LineContext): void {
  const name = matchNameOf(word.text);
  const extension = findMatch(name, ctx.family);
  if (extension !== undefined) {
    load(extension, word, draft);
    return;
  }
  draft.lenient = true;
  if (findMatch(name, ctx.family === 'ipv4' ? 'ipv6' : 'ipv4') !== undefined) {
    ctx.report.add('wrong-family', word, { what: `match "${word.text}"`, family: FAMILY_LABEL[ctx.family] });
  } else ctx.report.add('unknown-match', word, { name: word.text });
}

/**
 * Loads the match of the rule's protocol, which iptables does once per rule when it meets an option it does not know.
 * `protocol` is the name of the protocol. False: there is nothing to load.
 */
export function loadProtocolMatch(protocol: string, word: Word, draft: RuleDraft, ctx: LineContext): boolean {
  const name = matchNameOf(protocol);
  if (draft.protocolUsed || draft.uses.some((use) => use.extension.kind === 'match' && use.extension.name === name)) {
    return false;
  }
  draft.protocolUsed = true;
  const extension = findMatch(name, ctx.family);
  if (extension === undefined) return false;
  load(extension, word, draft);
  return true;
}

function readJump(word: Word, draft: RuleDraft, ctx: LineContext): void {
  const name = word.text;
  const span = ctx.report.span(word);
  if (isVerdict(name)) {
    if (name === 'DROP' && ctx.table === 'nat') ctx.report.add('drop-in-nat', word);
    draft.target = Object.freeze({ kind: 'verdict', verdict: name, span });
    return;
  }
  const extension = findTarget(name, ctx.family);
  if (extension !== undefined) {
    load(extension, word, draft);
    return;
  }
  // Where a target and a chain have the same name, iptables takes the target.
  const instead = removedTarget(name, ctx.family);
  if (instead !== undefined) {
    draft.lenient = true;
    ctx.report.add('removed-target', word, { name, instead });
    return;
  }
  const kind = ctx.chainKind(name);
  if (kind === 'user') draft.target = jump('jump', word, ctx);
  else if (kind === 'built-in') ctx.report.add('jump-to-built-in-chain', word, { chain: name });
  else ctx.report.add('unknown-target', word, { name, table: ctx.table });
}

function readGoto(word: Word, draft: RuleDraft, ctx: LineContext): void {
  const name = word.text;
  if (ctx.chainKind(name) === 'user') draft.target = jump('goto', word, ctx);
  else ctx.report.add('goto-not-a-chain', word, { name, table: ctx.table });
}

function jump(kind: 'jump' | 'goto', word: Word, ctx: LineContext): Target {
  return Object.freeze({ kind, chain: word.text, span: ctx.report.span(word) });
}

function isVerdict(name: string): name is Verdict {
  return (VERDICTS as readonly string[]).includes(name);
}
