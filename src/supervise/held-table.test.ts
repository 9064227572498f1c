import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeTable } from '../abi/encode.ts';
import { ENTRY, type TableBlob } from '../abi/format.ts';
import { readInfo } from '../abi/messages.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { Family } from '../packet/netfilter.ts';
import { counterStrides } from './counter-strides.ts';
import { type ChainChange, HeldTable, type SlotOf } from './held-table.ts';

const SLOTS = 64;

interface Made {
  readonly held: HeldTable;
  /** Packets and bytes of each slot, as a CPU counts them. */
  readonly words: BigUint64Array;
}

function blobOf(lines: readonly string[], family: Family = 'ipv4', policy = 'ACCEPT'): TableBlob {
  const text = `*filter\n:INPUT ${policy} [3:300]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
  const { ruleset, diagnostics } = parseRuleset({ name: 'test', text }, family);
  expect(diagnostics).toEqual([]);
  const encoded = encodeTable(ruleset!.tables[0]!, family);
  if ('problem' in encoded) throw new Error(encoded.problem.diagnostic.message);
  return encoded.blob;
}

/** Rules of INPUT count in slots 0, 1, ..., policies in 40, 41, 42, rules of other chains in 50, ... */
const slotOf: SlotOf = (chain, rule) => {
  if (rule === 'policy') return 40 + ['INPUT', 'FORWARD', 'OUTPUT'].indexOf(chain);
  return chain === 'INPUT' ? rule : 50 + rule;
};

function hold(blob: TableBlob, family: Family = 'ipv4'): Made {
  const bytes = new Uint8Array(2 * 16 * SLOTS);
  const memory = { bytes, apply: () => {}, close: () => {} };
  const held = new HeldTable(blob, 'filter', family, slotOf, counterStrides(memory, 16 * SLOTS, 2));
  return { held, words: new BigUint64Array(bytes.buffer) };
}

/** Packets and bytes of every entry. */
function countersOf(held: HeldTable, family: Family = 'ipv4'): readonly string[] {
  const bytes = Buffer.from(held.entries());
  const { counters, nextOffset } = ENTRY[family];
  const all: string[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + nextOffset))
    all.push(`${bytes.readBigUInt64LE(at + counters)}:${bytes.readBigUInt64LE(at + counters + 8)}`);
  return all;
}

function chainChange(held: HeldTable, blob: TableBlob): ChainChange {
  const change = held.compare(blob);
  if (typeof change === 'string') throw new Error(`the change is: ${change}`);
  return change;
}

const host = (number: number): string => `-A INPUT -s 10.0.0.${number} -j DROP`;
const TWO = ['-A INPUT -c 5 500 -s 10.0.0.1 -j DROP', host(2)];

it('tells of a table what GET_INFO tells', () => {
  const blob = blobOf(TWO);
  const { held } = hold(blob);
  const info = readInfo(held.info());
  expect(info).toMatchObject({ name: 'filter', validHooks: 0x0e, numEntries: 6, size: blob.entries.length });
  for (const hook of [1, 2, 3]) {
    expect(info.hookEntry[hook]).toBe(blob.hookEntry[hook]);
    expect(info.underflow[hook]).toBe(blob.underflow[hook]);
  }
});

it.each(['ipv4', 'ipv6'] as const)('%s: counters go on from those that it was made with', (family) => {
  const { held, words } = hold(blobOf(['-A INPUT -c 5 500 -p tcp -j DROP', '-A INPUT -p udp -j DROP'], family), family);
  expect(countersOf(held, family)).toEqual(['5:500', '0:0', '3:300', '0:0', '0:0', '0:0']);
  words.set([2n, 20n, 7n, 70n]);
  words.set([1n, 1n], 2 * SLOTS + 2 * 40);
  expect(countersOf(held, family)).toEqual(['7:520', '7:70', '4:301', '0:0', '0:0', '0:0']);
  const taken = new BigUint64Array(held.takeCounters().buffer);
  expect([...taken]).toEqual([7n, 520n, 7n, 70n, 4n, 301n, 0n, 0n, 0n, 0n, 0n, 0n]);
  expect(countersOf(held, family)).toEqual(['0:0', '0:0', '0:0', '0:0', '0:0', '0:0']);
  words[0]! += 1n;
  held.addCounters(new Uint8Array(taken.buffer));
  expect(countersOf(held, family)).toEqual(['8:520', '7:70', '4:301', '0:0', '0:0', '0:0']);
});

it('every entry says which hooks reach it, as after a REPLACE', () => {
  const chains = [':a - [0:0]', ':b - [0:0]', '-A a -p tcp -j ACCEPT', '-A b -p tcp -j ACCEPT'];
  const { held } = hold(
    blobOf([...chains, '-A INPUT -j a', '-A OUTPUT -p tcp -j a', '-A OUTPUT -j DROP', '-A OUTPUT -p tcp']),
  );
  const bytes = Buffer.from(held.entries());
  const reached: number[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + 90)) reached.push(bytes.readUInt32LE(at + 92));
  // INPUT 2, FORWARD 4, OUTPUT 8: what stands behind an unconditional verdict, chain b and the heads of chains are reached from nowhere.
  expect(reached).toEqual([2, 2, 4, 8, 8, 0, 0, 0, 10, 10, 0, 0, 0, 0]);
});

it.each<readonly [string, readonly string[], Partial<ChainChange> | 'none' | 'other']>([
  ['the same', [host(1), host(2)], 'none'],
  ['other counters', ['-A INPUT -c 9 9 -s 10.0.0.1 -j DROP', host(2)], 'none'],
  ['a rule at the end', [host(1), host(2), host(3)], { chain: 'INPUT', at: 2, gone: 0, from: 2, reached: 2 }],
  ['a rule less', [host(2)], { chain: 'INPUT', at: 0, gone: 1, from: 0 }],
  ['another rule', [host(1), host(3)], { chain: 'INPUT', at: 1, gone: 1, from: 1 }],
  ['a rule of another chain', [...TWO, '-A OUTPUT -p tcp -j DROP'], { chain: 'OUTPUT', at: 0, from: 4, reached: 8 }],
  ['rules of two chains', [host(1), '-A OUTPUT -p tcp -j DROP'], 'other'],
  ['a new chain', [...TWO, ':a - [0:0]'], 'other'],
  ['nothing left', [], { chain: 'INPUT', at: 0, gone: 2, from: 0, added: [] }],
])('what a client would change: %s', (_name, lines, expected) => {
  const { held } = hold(blobOf(TWO));
  const change = held.compare(blobOf(lines));
  if (typeof expected === 'string') expect(change).toBe(expected);
  else expect(change).toMatchObject(expected);
});

it('what is no change of rules in one chain is something else', () => {
  const { held } = hold(blobOf(TWO));
  expect(held.compare(blobOf(TWO, 'ipv4', 'DROP'))).toBe('other');
  const blob = blobOf(TWO);
  expect(held.compare({ ...blob, numEntries: blob.numEntries + 1 })).toBe('other');
  expect(held.compare({ ...blob, validHooks: 2 })).toBe('other');
  expect(held.compare({ ...blob, hookEntry: blob.hookEntry.map((at) => at + 8) })).toBe('other');
  expect(held.compare({ ...blob, entries: blob.entries.subarray(0, 100) })).toBe('other');
});

it('rules of a user chain, its last one too', () => {
  const chain = [':a - [0:0]', '-A a -p tcp -j ACCEPT'];
  const { held, words } = hold(blobOf([...chain, '-A INPUT -p udp -j a']));
  const blob = blobOf([...chain, '-A a -p udp -j ACCEPT', '-A INPUT -p udp -j a']);
  const change = chainChange(held, blob);
  expect(change).toMatchObject({ chain: 'a', at: 1, gone: 0, reached: 2 });
  words.set([1n, 10n], 2 * 51);
  held.follow(blob, change, [51]);
  expect(held.compare(blob)).toBe('none');
  expect(countersOf(held)).toEqual(['0:0', '3:300', '0:0', '0:0', '0:0', '0:0', '1:10', '0:0', '0:0']);
});

it('after any changes it is what a table made anew would be, each rule with its own counter', () => {
  const rule = fc.record({ host: fc.integer({ min: 1, max: 5 }), long: fc.boolean() });
  const rules = fc.array(rule, { maxLength: 12 });
  const line = ({ host: number, long }: { host: number; long: boolean }): string =>
    `-A INPUT -s 10.0.0.${number}${long ? ' -p tcp -m tcp --dport 22' : ''} -j DROP`;
  const around = [':a - [0:0]', '-A a -p tcp -j DROP', '-A OUTPUT -p tcp -j a'];
  fc.assert(
    fc.property(fc.array(rules, { minLength: 2, maxLength: 5 }), (states) => {
      const blobs = states.map((state) => blobOf([...around, ...state.map(line)]));
      const { held, words } = hold(blobs[0]!);
      for (let slot = 0; slot < SLOTS; slot++) words[2 * slot] = BigInt(1000 + slot);
      /** The counters of INPUT's rules, by the slots that the caller has given them. */
      let slots = states[0]!.map((_rule, index) => index);
      for (const blob of blobs.slice(1)) {
        const change = held.compare(blob);
        if (change === 'none') continue;
        if (change === 'other') throw new Error('more than a change in one chain');
        const free = Array.from({ length: 40 }, (_, at) => at).filter((at) => !slots.includes(at));
        const fresh = change.added.map((_entry, index) => free[index]!);
        slots = slots.toSpliced(change.at, change.gone, ...fresh);
        held.follow({ ...blob, entries: Uint8Array.from(blob.entries) }, change, fresh);
        const anew = hold(blob).held;
        expect(held.info()).toEqual(anew.info());
        expect(withoutCounters(held)).toEqual(withoutCounters(anew));
        expect(countersOf(held).slice(0, slots.length)).toEqual(slots.map((slot) => `${1000 + slot}:0`));
        expect(countersOf(held)[slots.length]).toBe('1043:300');
        expect(held.compare(blob)).toBe('none');
      }
    }),
    { numRuns: 60 },
  );
});

function withoutCounters(held: HeldTable): Buffer {
  const bytes = Buffer.from(held.entries());
  const { counters, nextOffset } = ENTRY.ipv4;
  for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + nextOffset))
    bytes.fill(0, at + counters, at + counters + 16);
  return bytes;
}
