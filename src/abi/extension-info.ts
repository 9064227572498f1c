/** Matches and targets between their structures and their options, both ways over the layouts of the extensions. */

import type { MatchExtension, OptionMap, TargetExtension } from '../extensions/contract.ts';
import { LayoutError, type XtContext, type XtLayout } from '../extensions/layouts/layout.ts';
import { MATCHES, TARGETS } from '../extensions/registry.ts';
import type { Family } from '../packet/netfilter.ts';
import type { Part } from './entries.ts';
import { aligned, HEADER } from './format.ts';
import { blobError } from './problem.ts';

type Extension = MatchExtension | TargetExtension;

interface Candidate<E extends Extension> {
  readonly extension: E;
  readonly layout: XtLayout;
}

function byKernelName<E extends Extension>(
  extensions: readonly E[],
  family: Family,
): ReadonlyMap<string, readonly Candidate<E>[]> {
  const index = new Map<string, Candidate<E>[]>();
  for (const extension of extensions) {
    if (!extension.families.includes(family)) continue;
    for (const layout of layoutsFor(extension, family)) {
      const name = layout.kernelName ?? extension.name;
      index.set(name, [...(index.get(name) ?? []), { extension, layout }]);
    }
  }
  return index;
}

function layoutsFor(extension: Extension, family: Family): readonly XtLayout[] {
  return (extension.layouts ?? []).filter(({ families }) => families?.includes(family) ?? true);
}

const matchIndex = { ipv4: byKernelName(MATCHES, 'ipv4'), ipv6: byKernelName(MATCHES, 'ipv6') } as const;
const targetIndex = { ipv4: byKernelName(TARGETS, 'ipv4'), ipv6: byKernelName(TARGETS, 'ipv6') } as const;

export interface Decoded<E extends Extension> {
  readonly extension: E;
  readonly options: OptionMap;
}

export function decodeMatch(part: Part, ctx: XtContext): Decoded<MatchExtension> {
  return decode(matchIndex[ctx.family].get(part.name), part, `match "${part.name}"`, ctx);
}

export function decodeTarget(part: Part, ctx: XtContext): Decoded<TargetExtension> {
  return decode(targetIndex[ctx.family].get(part.name), part, `target "${part.name}"`, ctx);
}

/** @throws BlobError: ENOENT for an unknown name, EPROTOTYPE for an unknown revision, EINVAL for a wrong size, else unsupported. */
function decode<E extends Extension>(
  candidates: readonly Candidate<E>[] | undefined,
  part: Part,
  what: string,
  ctx: XtContext,
): Decoded<E> {
  if (candidates === undefined) throw blobError('ENOENT', what, 'there is none of that name');
  const known = candidates.filter(({ layout }) => layout.revision === part.revision);
  if (known.length === 0) throw blobError('EPROTOTYPE', what, `its revision ${part.revision} is not known`);
  const sized = known.filter(({ layout }) => layout.size === part.info.byteLength);
  if (sized.length === 0) throw blobError('EINVAL', what, `its structure has ${part.info.byteLength} bytes`);
  const chosen = sized.find(({ layout }) => layout.claims?.(part.info) ?? true);
  if (chosen === undefined) throw blobError('unsupported', what, 'no option says what it asks');
  const { extension, layout } = chosen;
  try {
    const options: OptionMap = Object.assign({}, ...layout.fields.map((field) => field.get(part.info, ctx)));
    // What options cannot say would be lost without a word.
    if (!sameMeaning(part.info, structure(layout, options, ctx), layout, ctx))
      throw blobError('unsupported', what, 'some of its bytes stand for no option');
    return { extension, options };
  } catch (error) {
    if (error instanceof LayoutError) throw blobError('unsupported', what, error.message);
    throw error;
  }
}

function structure(layout: XtLayout, options: OptionMap, ctx: XtContext): DataView {
  const info = new DataView(new ArrayBuffer(layout.size));
  for (const field of layout.fields) field.put(options, info, ctx);
  return info;
}

/** Equal but for bytes that the kernel does not look at, and its own. */
function sameMeaning(a: DataView, b: DataView, layout: XtLayout, ctx: XtContext): boolean {
  const [one, other] = [a, b].map((info) => {
    const copy = new DataView(info.buffer.slice(info.byteOffset, info.byteOffset + info.byteLength));
    for (const field of layout.fields) field.clean?.(copy, ctx);
    return copy;
  }) as [DataView, DataView];
  for (let at = 0; at < (layout.userSize ?? layout.size); at++) {
    if (one.getUint8(at) !== other.getUint8(at)) return false;
  }
  return true;
}

/** Header and structure of a match or target. @throws BlobError (unsupported) */
export function encodePart(extension: Extension, options: OptionMap, what: string, ctx: XtContext): Uint8Array {
  const [layout] = layoutsFor(extension, ctx.family);
  if (layout === undefined) throw blobError('unsupported', what, 'it has no binary form');
  try {
    const info = structure(layout, options, ctx);
    const part = emptyPart(layout.kernelName ?? extension.name, layout.revision, layout.size);
    part.set(new Uint8Array(info.buffer), HEADER.size);
    return part;
  } catch (error) {
    if (error instanceof LayoutError) throw blobError('unsupported', what, error.message);
    throw error;
  }
}

/** An empty match or target with `size` bytes of data. */
export function emptyPart(name: string, revision: number, size: number): Uint8Array {
  const part = new Uint8Array(HEADER.size + aligned(size));
  new DataView(part.buffer).setUint16(0, part.length, true);
  part.set(new TextEncoder().encode(name), HEADER.name);
  part[HEADER.revision] = revision;
  return part;
}
