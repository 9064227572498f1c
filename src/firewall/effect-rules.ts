/**
 * The rules that carry effects out in the kernel's own table, as restore text (codegen/netfilter/effects.ts). For each hook:
 *
 *     HOOK                   -m bpf any   -j BPFILTER-n-HOOK
 *     BPFILTER-n-HOOK        -m bpf more  -j BPFILTER-n-HOOK-DO    as often as a packet's list can have entries, in parts
 *     BPFILTER-n-HOOK-DO     -m bpf id    -j TARGET ...            for each effect; many of them in groups, each behind a range
 *
 * n tells generations apart: those of two can stand in one table.
 */

import { type EffectProgram, effectProgramName } from '../codegen/netfilter/effect-programs.ts';
import { SPECIAL } from '../codegen/netfilter/effects.ts';
import { rejectValue } from '../codegen/netfilter/pending.ts';
import type { Family, Hook, TableName } from '../packet/netfilter.ts';
import { TABLE_HOOKS } from '../packet/netfilter.ts';
import type { RejectWith } from '../policy/ir.ts';

/** What a hook's program can ask of the kernel. */
export interface HookBridge {
  readonly hook: Hook;
  /** The most entries of a list. */
  readonly entries: number;
  readonly effects: readonly BridgeEffect[];
  readonly reject: readonly RejectWith[];
}

export interface BridgeEffect {
  /** Without the base of the generation. */
  readonly number: number;
  readonly needs: readonly string[];
  readonly target: readonly string[];
}

/** The bridge of one table of one generation. */
export interface TableBridge {
  readonly family: Family;
  /** The generation's base. */
  readonly base: number;
  readonly hooks: readonly HookBridge[];
}

/** After so many entries it is asked whether the list is over. */
const PART = 8;
/** More entries than these are divided into groups of this size. */
const GROUP = 8;

interface Entry {
  readonly id: number;
  readonly words: readonly string[];
}

function entriesOf({ family, base }: TableBridge, hook: HookBridge): readonly Entry[] {
  const effects = hook.effects.map(({ number, needs, target }) => ({
    id: base + number,
    words: [...needs, '-j', ...target],
  }));
  const rejects = hook.reject.map((answer) => ({
    id: base + SPECIAL.reject + rejectValue(family, answer),
    words: [...(answer === 'tcp-reset' ? ['-p', 'tcp'] : []), '-j', 'REJECT', '--reject-with', answer],
  }));
  const all = [{ id: base + SPECIAL.drop, words: ['-j', 'DROP'] }, ...rejects, ...effects];
  return all.sort((a, b) => a.id - b.id);
}

/** Everything that the rules of a bridge refer to. */
export function programsOf(bridge: TableBridge): readonly EffectProgram[] {
  const { base } = bridge;
  return [
    { kind: 'any', base },
    { kind: 'more', base },
    ...bridge.hooks.flatMap((hook) => {
      const entries = entriesOf(bridge, hook);
      const ids = entries.map(({ id }): EffectProgram => ({ kind: 'id', id }));
      return [...ids, ...groupsOf(entries).map(rangeOf)];
    }),
  ];
}

function groupsOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  if (entries.length <= GROUP + 2) return [];
  const count = Math.ceil(entries.length / GROUP);
  return Array.from({ length: count }, (_, index) => entries.slice(index * GROUP, (index + 1) * GROUP));
}

function rangeOf(group: readonly Entry[]): EffectProgram {
  return { kind: 'range', from: group[0]!.id, to: group.at(-1)!.id + 1 };
}

interface BridgeText {
  readonly chains: readonly string[];
  readonly rules: readonly string[];
}

function textOf(bridge: TableBridge, directory: string): BridgeText {
  const match = (program: EffectProgram): string => `-m bpf --object-pinned ${directory}/${effectProgramName(program)}`;
  const chains: string[] = [];
  const rules: string[] = [];
  const { base } = bridge;
  for (const hook of bridge.hooks) {
    const list = `BPFILTER-${base === 0 ? 0 : 1}-${hook.hook}`;
    const entries = entriesOf(bridge, hook);
    const groups = groupsOf(entries);
    const parts = Math.ceil(hook.entries / PART);
    const part = (index: number): string => (index === 0 ? list : `${list}+${index * PART}`);
    chains.push(`${list}-DO`, ...groups.map((_, index) => `${list}-${index}`));
    rules.push(`-A ${hook.hook} ${match({ kind: 'any', base })} -j ${list}`);
    for (let index = 0; index < parts; index++) {
      chains.push(part(index));
      const left = hook.entries - index * PART;
      for (let entry = 0; entry < Math.min(PART, left); entry++)
        rules.push(`-A ${part(index)} ${match({ kind: 'more', base })} -j ${list}-DO`);
      if (left > PART) rules.push(`-A ${part(index)} ${match({ kind: 'any', base })} -g ${part(index + 1)}`);
    }
    const carryOut = (chain: string, some: readonly Entry[]): void => {
      for (const { id, words } of some) rules.push(`-A ${chain} ${carried(words, match({ kind: 'id', id }))}`);
    };
    if (groups.length === 0) carryOut(`${list}-DO`, entries);
    groups.forEach((group, index) => {
      rules.push(`-A ${list}-DO ${match(rangeOf(group))} -j ${list}-${index}`);
      carryOut(`${list}-${index}`, group);
    });
  }
  return { chains, rules };
}

/** The match stands right before the target: what the kernel wants to see besides never fails behind it. */
function carried(words: readonly string[], match: string): string {
  const target = words.indexOf('-j');
  return [...words.slice(0, target), match, ...words.slice(target)].join(' ');
}

/**
 * Restore text of a table with these bridges in front of the rules of `text` (restore text of the same table; absent: built-in
 * chains with policy ACCEPT). `directory`: where the programs are pinned.
 */
export function tableWithBridges(
  table: TableName,
  bridges: readonly TableBridge[],
  directory: string,
  text?: string,
): string {
  const lines = (text ?? '').split('\n').filter((line) => line !== '' && !/^[#*]|^COMMIT/.test(line));
  const declared = lines.filter((line) => line.startsWith(':'));
  const chains = declared.length > 0 ? declared : TABLE_HOOKS[table].hooks.map((hook) => `:${hook} ACCEPT [0:0]`);
  const parts = bridges.map((bridge) => textOf(bridge, directory));
  return [
    `*${table}`,
    ...chains,
    ...parts.flatMap((part) => part.chains.map((chain) => `:${chain} - [0:0]`)),
    ...parts.flatMap((part) => part.rules),
    ...lines.filter((line) => !line.startsWith(':')),
    'COMMIT',
    '',
  ].join('\n');
}
