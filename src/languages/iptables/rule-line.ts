/**
 * Reads one line inside a table, from left to right as do_parse of iptables does. The order matters: a match must be
 * loaded before its options, and some options look at what was given before them.
 */

import { protocolName } from '../../packet/protocols.ts';
import { type Counters, ZERO_COUNTERS } from '../../rules/model.ts';
import type { Command } from './command.ts';
import { checkOptions, commandOf, isCommand, readCommandWords } from './command-words.ts';
import { applyOption } from './extension-options.ts';
import type { Place } from './report.ts';
import { buildRules, createDraft, type LineContext, type RuleDraft, seenOption, takeInvert } from './rule-draft.ts';
import { loadProtocolMatch, readRuleOption } from './rule-options.ts';
import { createScanner, type Scanner, type Step } from './scanner.ts';
import type { Word } from './words.ts';

/** What became of a line: a command, nothing (meant for the other family, or reported). */
export type LineResult = Command | undefined;

/** Whether the rest of a line is read. */
type Outcome = 'go' | 'stop';

/** Reads the words of a line. `counters` stood before it in brackets. */
export function readRuleLine(
  words: readonly Word[],
  line: Place,
  counters: Counters | undefined,
  ctx: LineContext,
): LineResult {
  const { report } = ctx;
  const before = report.found.length;
  const draft = createDraft(counters ?? ZERO_COUNTERS);
  // Counters in brackets are a -c.
  if (counters !== undefined)
    draft.seen.push({
      letter: 'c',
      word: { text: '[packets:bytes]', start: line.start, end: line.start + 1, quoted: true },
    });
  const scanner = createScanner(words, draft.uses);
  for (let step = scanner.next(draft.lenient); step !== undefined; step = scanner.next(draft.lenient)) {
    const outcome = takeStep(step, draft, scanner, ctx);
    if (outcome === 'stop') return undefined;
  }
  if (draft.invert !== undefined) report.add('dangling-negation', draft.invert);
  const { command } = draft;
  if (command === undefined) {
    if (report.found.length === before) report.add('no-command', line);
    return undefined;
  }
  checkOptions(command, draft, ctx);
  checkChain(draft, ctx);
  const rules = buildRules(draft, line, ctx);
  return report.found.length === before ? commandOf(command, rules) : undefined;
}

function takeStep(step: Step, draft: RuleDraft, scanner: Scanner, ctx: LineContext): Outcome {
  const { report } = ctx;
  switch (step.kind) {
    case 'base':
      return takeBase(step, draft, scanner, ctx);
    case 'extension':
      return takeExtension(step, draft, scanner, ctx);
    case 'argument':
      if (step.word.text === '!') return takeNegation(step.word, draft, ctx);
      if (draft.lenient) return 'go';
      report.add('stray-word', step.word, { word: step.word.text });
      return 'stop';
    case 'rest': {
      const [stray] = step.words;
      if (stray !== undefined) report.add('stray-word', stray, { word: stray.text });
      return stray === undefined ? 'go' : 'stop';
    }
    case 'unknown':
    case 'ambiguous': {
      const { protocol } = draft.ip;
      const name = protocol === undefined ? undefined : (protocolName(protocol.value) ?? '');
      if (name !== undefined && loadProtocolMatch(name, step.word, draft, ctx)) {
        scanner.again();
        return 'go';
      }
      if (draft.lenient) {
        takeInvert(draft);
        return 'go';
      }
      if (step.kind === 'unknown') report.add('unknown-option', step.word, { option: step.name });
      else
        report.add('ambiguous-option', step.word, { option: step.word.text, candidates: step.candidates.join(' or ') });
      return 'stop';
    }
    case 'missing-value':
      report.add('missing-value', step.word, { option: step.name });
      return 'stop';
    case 'unexpected-value':
      report.add('unexpected-value', step.word, { option: step.name });
      return 'stop';
  }
}

function takeNegation(word: Word, draft: RuleDraft, ctx: LineContext): Outcome {
  if (draft.invert !== undefined) {
    ctx.report.add('double-negation', word);
    return 'stop';
  }
  draft.invert = word;
  return 'go';
}

function takeExtension(
  step: Step & { kind: 'extension' },
  draft: RuleDraft,
  scanner: Scanner,
  ctx: LineContext,
): Outcome {
  const { use, spec, word, value } = step;
  const invert = takeInvert(draft);
  const values = value === undefined ? [] : [value];
  if (spec.value.optionalWord === true) {
    const optional = scanner.takeArgument();
    if (optional !== undefined) values.push(optional);
  }
  if (spec.value.words === 2) {
    const second = scanner.takeArgument();
    if (second === undefined) {
      ctx.report.add('missing-value', word, { option: `--${spec.name} (two words)` });
      return 'go';
    }
    values.push(second);
  }
  applyOption({ use, spec, word, values, invert }, draft.ip, ctx);
  return 'go';
}

function takeBase(step: Step & { kind: 'base' }, draft: RuleDraft, scanner: Scanner, ctx: LineContext): Outcome {
  const { report, family } = ctx;
  const { word, value } = step;
  const { letter } = step.option;
  if (isCommand(letter)) return takeCommand(step, draft, scanner, ctx);
  switch (letter) {
    case '4':
    case '6': {
      const own = family === 'ipv4' ? '4' : '6';
      // A line for the other family is left alone, but what stands before the mark was read already.
      return letter === own ? 'go' : 'stop';
    }
    case 't':
      report.add('table-option', word);
      return 'stop';
    case 'L':
    case 'S':
    case 'V':
    case 'h':
    case 'w':
    case 'W':
      report.add('not-a-change', word, { option: word.text });
      return 'stop';
    // -v and -M change nothing about a rule.
    case 'v':
    case 'M':
      return 'go';
    case 'n':
    case 'x':
    case '0':
      draft.seen.push({ letter, word });
      return 'go';
    default:
      readRuleOption(letter, word, value ?? word, draft, scanner, ctx);
      return 'go';
  }
}

function takeCommand(step: Step & { kind: 'base' }, draft: RuleDraft, scanner: Scanner, ctx: LineContext): Outcome {
  const { word, value } = step;
  const { letter } = step.option;
  const invert = takeInvert(draft);
  if (invert !== undefined) ctx.report.add('cannot-invert', invert, { option: word.text });
  if (draft.command !== undefined) {
    ctx.report.add('second-command', word, { option: word.text, first: draft.command.word.text });
    return 'stop';
  }
  if (!isCommand(letter)) return 'stop';
  const command = readCommandWords(letter, word, value, scanner, ctx);
  if (command === undefined) return 'stop';
  draft.command = command;
  return 'go';
}

/** Interfaces that a built-in chain cannot know. */
function checkChain(draft: RuleDraft, ctx: LineContext): void {
  const chain = draft.command?.chain?.text;
  const letter =
    chain === 'PREROUTING' || chain === 'INPUT' ? 'o' : chain === 'POSTROUTING' || chain === 'OUTPUT' ? 'i' : undefined;
  const word = letter === undefined ? undefined : seenOption(draft, letter);
  if (word !== undefined && chain !== undefined)
    ctx.report.add('interface-in-chain', word, { option: `-${letter}`, chain });
}
