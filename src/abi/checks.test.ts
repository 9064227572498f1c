import { expect, it } from 'vitest';
import { TABLE_HOOKS } from '../packet/netfilter.ts';
import { type Chain, type Rule, type Table, ZERO_COUNTERS } from '../rules/model.ts';
import { decodeTable } from './decode.ts';
import { encodeTable } from './encode.ts';
import type { TableBlob } from './format.ts';
import { readReplace, writeReplace } from './messages.ts';

const RULE: Rule = { ip: {}, matches: [], target: { kind: 'none' }, counters: ZERO_COUNTERS };
const jump = (chain: string): Rule => ({ ...RULE, target: { kind: 'jump', chain } });
const TCP: Rule = {
  ...RULE,
  ip: { protocol: { value: 6, invert: false } },
  matches: [{ name: 'tcp', options: { dport: { value: { kind: 'range', min: 22n, max: 22n }, invert: false } } }],
  target: { kind: 'verdict', verdict: 'ACCEPT' },
};

function table(input: readonly Rule[], user: Readonly<Record<string, readonly Rule[]>> = {}): Table {
  const builtIn = TABLE_HOOKS.filter.hooks.map(
    (name): Chain => ({ name, policy: 'ACCEPT', counters: ZERO_COUNTERS, rules: name === 'INPUT' ? input : [] }),
  );
  const own = Object.entries(user).map(([name, rules]): Chain => ({ name, counters: ZERO_COUNTERS, rules }));
  return { name: 'filter', chains: [...builtIn, ...own] };
}

function blob(input: readonly Rule[], user: Readonly<Record<string, readonly Rule[]>> = {}): TableBlob {
  const encoded = encodeTable(table(input, user), 'ipv4');
  if ('problem' in encoded) throw new Error(encoded.problem.diagnostic.message);
  return { ...encoded.blob, entries: Uint8Array.from(encoded.blob.entries) };
}

function errnoOf(changed: TableBlob): string {
  const decoded = decodeTable(changed, 'ipv4');
  return 'problem' in decoded ? decoded.problem.errno : 'taken';
}

/** The first rule's entry begins at 0: its match at 112, and the target of a rule with `tcp` at 160. */
const poke = (at: number, ...bytes: readonly number[]): TableBlob => {
  const made = blob([TCP]);
  made.entries.set(bytes, at);
  return made;
};

it('an empty table has the size that the kernel gives it', () => {
  const made = blob([]);
  expect(made.entries.length).toBe(632);
  expect(made.numEntries).toBe(4);
  expect(made.hookEntry).toEqual([0xffff_ffff, 0, 152, 304, 0xffff_ffff]);
});

it.each<readonly [string, TableBlob, string]>([
  ['nothing is wrong', blob([TCP]), 'taken'],
  ['an unknown flag', poke(82, 4), 'EINVAL'],
  ['an unknown inversion', poke(83, 0x80), 'EINVAL'],
  ['a target in the header', poke(88, 100, 0), 'EINVAL'],
  ['a target beyond the entry', poke(88, 250, 0), 'EINVAL'],
  ['an entry too small', poke(90, 100, 0), 'EINVAL'],
  ['an entry that is no multiple of 8', poke(90, 199, 0), 'EINVAL'],
  ['an entry beyond the table', poke(90, 255, 255), 'EINVAL'],
  ['a match of no size', poke(112, 0, 0), 'EINVAL'],
  ['a match into the target', poke(112, 56, 0), 'EINVAL'],
  ['an unknown match', poke(114, 0x78), 'ENOENT'],
  ['an unknown revision', poke(143, 9), 'EPROTOTYPE'],
  ['a verdict that there is not', poke(192, 0xfd, 0xff, 0xff, 0xff), 'EINVAL'],
  ['the verdict 0', poke(192, 0, 0, 0, 0), 'EINVAL'],
  ['a jump to no entry', poke(192, 8, 0, 0, 0), 'ELOOP'],
  ['another protocol', poke(80, 17), 'EINVAL'],
  ['another number of entries', { ...blob([TCP]), numEntries: 4 }, 'EINVAL'],
  ['a hook at no entry', { ...blob([TCP]), hookEntry: [0, 8, 352, 504, 0] }, 'EINVAL'],
  ['a policy that is a rule', { ...blob([TCP]), underflow: [0, 0, 352, 504, 0] }, 'EINVAL'],
  ['hooks in another order', { ...blob([]), hookEntry: [0, 152, 0, 304, 0] }, 'EINVAL'],
  ['hooks of another table', { ...blob([]), validHooks: 0x0c }, 'unsupported'],
  ['a chain that calls itself', blob([jump('a')], { a: [jump('a')] }), 'ELOOP'],
  ['a circle of two', blob([jump('a')], { a: [jump('b')], b: [jump('a')] }), 'ELOOP'],
  ['the same circle out of reach', blob([], { a: [jump('b')], b: [jump('a')] }), 'taken'],
  ['an unknown table', { ...blob([]), name: 'nothing' }, 'ENOENT'],
])('%s', (_name, changed, errno) => {
  expect(errnoOf(changed)).toBe(errno);
});

it.each<readonly [string, (bytes: Uint8Array, view: DataView) => Uint8Array | undefined, string]>([
  ['too short', (bytes) => bytes.subarray(0, 90), 'EINVAL'],
  ['no counters', (_bytes, view) => void view.setUint32(84, 0, true), 'EINVAL'],
  ['too many counters', (_bytes, view) => void view.setUint32(84, 0x7fff_ffff, true), 'ENOMEM'],
  ['longer than it is', (_bytes, view) => void view.setUint32(40, 10_000, true), 'EINVAL'],
])('REPLACE: %s', (_name, change, errno) => {
  const bytes = writeReplace(blob([]), 4);
  const changed = change(bytes, new DataView(bytes.buffer)) ?? bytes;
  const read = readReplace(changed);
  expect('problem' in read ? read.problem.errno : 'taken').toBe(errno);
});
