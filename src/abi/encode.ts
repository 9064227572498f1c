/** From rules to a table's binary form: the entries in the order of libiptc, jumps as offsets. */

import type { XtContext, XtSets } from '../extensions/layouts/layout.ts';
import { LayoutError } from '../extensions/layouts/layout.ts';
import { findMatch, findTarget } from '../extensions/registry.ts';
import { type Family, HOOKS, isHook } from '../packet/netfilter.ts';
import { type Counters, type Rule, type Table, ZERO_COUNTERS } from '../rules/model.ts';
import { emptyPart, encodePart } from './extension-info.ts';
import {
  aligned,
  ENTRY,
  ERROR_NAME,
  ERROR_NAME_BYTES,
  ERROR_TARGET_BYTES,
  HEADER,
  HOOK_COUNT,
  STANDARD_TARGET_BYTES,
  type TableBlob,
  VERDICT,
  validHooks,
} from './format.ts';
import { writeIpPart } from './ip-part.ts';
import { BlobError, type BlobProblem, blobError } from './problem.ts';

export type EncodeResult = { readonly blob: TableBlob } | { readonly problem: BlobProblem };

/** The binary form of a table, counters in its entries. A rule that has none is the problem. */
export function encodeTable(table: Table, family: Family, sets?: XtSets): EncodeResult {
  try {
    return { blob: write(table, family, sets) };
  } catch (error) {
    if (error instanceof BlobError) return { problem: error.problem };
    throw error;
  }
}

/** An entry that is complete but for the place it jumps to. */
interface Piece {
  readonly bytes: Uint8Array;
  /** A chain to jump to, or `next`: the entry behind this one. */
  readonly jump?: { readonly chain: string } | 'next';
}

function write(table: Table, family: Family, sets: XtSets | undefined): TableBlob {
  const pieces: Piece[] = [];
  const offsets: number[] = [];
  const starts = new Map<string, number>();
  const hookEntry = new Array<number>(HOOK_COUNT).fill(0xffff_ffff);
  const underflow = new Array<number>(HOOK_COUNT).fill(0xffff_ffff);
  let end = 0;
  const add = (piece: Piece): void => {
    offsets.push(end);
    pieces.push(piece);
    end += piece.bytes.length;
  };
  for (const chain of inBlobOrder(table)) {
    const hook = isHook(chain.name) && chain.policy !== undefined ? HOOKS.indexOf(chain.name) : -1;
    if (hook === -1) {
      add(errorEntry(chain.name, family));
      starts.set(chain.name, end);
    } else hookEntry[hook] = end;
    for (const [at, rule] of chain.rules.entries()) {
      add(ruleEntry(rule, family, sets, `rule ${at + 1} of chain ${chain.name}`));
    }
    if (hook !== -1) underflow[hook] = end;
    const verdict = hook === -1 ? VERDICT.RETURN : chain.policy === 'DROP' ? VERDICT.DROP : VERDICT.ACCEPT;
    add(finish(ENTRY[family].size, verdictPart(verdict), hook === -1 ? ZERO_COUNTERS : chain.counters, family));
  }
  add(errorEntry(ERROR_NAME, family));
  const entries = new Uint8Array(end);
  for (const [at, { bytes, jump }] of pieces.entries()) {
    const offset = offsets[at]!;
    entries.set(bytes, offset);
    if (jump === undefined) continue;
    const to = jump === 'next' ? offset + bytes.length : starts.get(jump.chain);
    if (to === undefined)
      throw blobError(
        'unsupported',
        `the entry at ${offset}`,
        `there is no chain "${jump === 'next' ? '' : jump.chain}"`,
      );
    new DataView(entries.buffer).setInt32(offset + bytes.length - STANDARD_TARGET_BYTES + HEADER.size, to, true);
  }
  return Object.freeze({
    name: table.name,
    validHooks: validHooks(table.name),
    hookEntry: Object.freeze(hookEntry),
    underflow: Object.freeze(underflow),
    numEntries: pieces.length,
    entries,
  });
}

/** Built-in chains in the order of hooks, then the others. */
function inBlobOrder({ chains }: Table): Table['chains'] {
  const builtIn = HOOKS.flatMap((hook) => chains.filter(({ name, policy }) => name === hook && policy !== undefined));
  return [...builtIn, ...chains.filter(({ policy }) => policy === undefined)];
}

function ruleEntry(rule: Rule, family: Family, sets: XtSets | undefined, where: string): Piece {
  const { ip } = rule;
  const ctx: XtContext = { family, ip, ...(sets === undefined ? {} : { sets }) };
  const matches = rule.matches.map(({ name, options }) => {
    const extension = findMatch(name, family);
    const what = `match "${name}" of ${where}`;
    if (extension === undefined) throw blobError('unsupported', what, 'there is none of that name');
    return encodePart(extension, options, what, ctx);
  });
  const [target, jump] = targetPart(rule, ctx, where);
  const head = ENTRY[family].size + matches.reduce((sum, part) => sum + part.length, 0);
  const piece = finish(head, target, rule.counters, family);
  try {
    writeIpPart(ip, new DataView(piece.bytes.buffer), family);
  } catch (error) {
    if (error instanceof LayoutError) throw blobError('unsupported', where, error.message);
    throw error;
  }
  let at: number = ENTRY[family].size;
  for (const part of matches) {
    piece.bytes.set(part, at);
    at += part.length;
  }
  if (rule.target.kind === 'goto') piece.bytes[ENTRY[family].flags]! |= ENTRY[family].goto;
  return jump === undefined ? piece : { ...piece, jump };
}

function targetPart(rule: Rule, ctx: XtContext, where: string): readonly [Uint8Array, Piece['jump']] {
  const { target } = rule;
  switch (target.kind) {
    case 'none':
      return [verdictPart(0), 'next'];
    case 'verdict':
      return [verdictPart(VERDICT[target.verdict]), undefined];
    case 'jump':
    case 'goto':
      return [verdictPart(0), { chain: target.chain }];
    case 'extension': {
      const extension = findTarget(target.name, ctx.family);
      const what = `target "${target.name}" of ${where}`;
      if (extension === undefined) throw blobError('unsupported', what, 'there is none of that name');
      return [encodePart(extension, target.options, what, ctx), undefined];
    }
  }
}

function verdictPart(verdict: number): Uint8Array {
  const part = emptyPart('', 0, STANDARD_TARGET_BYTES - HEADER.size);
  new DataView(part.buffer).setInt32(HEADER.size, verdict, true);
  return part;
}

/** The head of a user chain, and the end of the table. */
function errorEntry(name: string, family: Family): Piece {
  const part = emptyPart(ERROR_NAME, 0, ERROR_TARGET_BYTES - HEADER.size);
  const text = new TextEncoder().encode(name);
  if (text.length >= ERROR_NAME_BYTES) throw blobError('unsupported', `chain ${name}`, 'its name is too long');
  part.set(text, HEADER.size);
  return finish(ENTRY[family].size, part, ZERO_COUNTERS, family);
}

/** An entry with its sizes, counters and target; `head` is what comes before the target. */
function finish(head: number, target: Uint8Array, counters: Counters, family: Family): Piece {
  const format = ENTRY[family];
  const bytes = new Uint8Array(aligned(head + target.length));
  const view = new DataView(bytes.buffer);
  if (bytes.length > 0xffff) throw blobError('unsupported', 'a rule', 'its matches are too large for an entry');
  view.setUint16(format.targetOffset, head, true);
  view.setUint16(format.nextOffset, bytes.length, true);
  view.setBigUint64(format.counters, counters.packets, true);
  view.setBigUint64(format.counters + 8, counters.bytes, true);
  bytes.set(target, head);
  return { bytes };
}
