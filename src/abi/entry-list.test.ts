import { expect, it } from 'vitest';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { HOOKS, TABLE_HOOKS } from '../packet/netfilter.ts';
import { encodeTable } from './encode.ts';
import { difference, type EntryList, entryEnd, listEntries, rolesOf } from './entry-list.ts';
import { ENTRY, type TableBlob } from './format.ts';

/** The filter table with these lines after its built-in chains. */
function blobOf(lines: readonly string[], policy = 'ACCEPT'): TableBlob {
  const text = `*filter\n:INPUT ${policy} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
  const { ruleset, diagnostics } = parseRuleset({ name: 'test', text }, 'ipv4');
  expect(diagnostics).toEqual([]);
  const encoded = encodeTable(ruleset!.tables[0]!, 'ipv4');
  if ('problem' in encoded) throw new Error(encoded.problem.diagnostic.message);
  return encoded.blob;
}

function listOf({ entries }: TableBlob): EntryList {
  const list = listEntries(Buffer.from(entries), 'ipv4');
  if (list === undefined) throw new Error('no list');
  return list;
}

const list = (...lines: readonly string[]): EntryList => listOf(blobOf(lines));
const from = (...hosts: readonly number[]): readonly string[] =>
  hosts.map((host) => `-A INPUT -s 10.0.0.${host} -j DROP`);

it.each<readonly [string, readonly number[], readonly number[], readonly [number, number, number]]>([
  ['nothing', [1, 2, 3], [1, 2, 3], [6 + 1, 6 + 1, 6 + 1]],
  ['one more at the end', [1, 2], [1, 2, 3], [2, 2, 3]],
  ['one more at the beginning', [1, 2], [3, 1, 2], [0, 0, 1]],
  ['one more in between', [1, 2], [1, 3, 2], [1, 1, 2]],
  ['one less', [1, 2, 3], [1, 3], [1, 2, 1]],
  ['all gone', [1, 2, 3], [], [0, 3, 0]],
  ['another one', [1, 2, 3], [1, 4, 3], [1, 2, 2]],
  ['two for one', [1, 2, 3], [1, 4, 5, 3], [1, 2, 3]],
  ['the second of two equal ones', [1, 1], [1], [1, 2, 1]],
  ['one more equal one', [1, 2], [1, 1, 2], [1, 1, 2]],
])('the difference: %s', (_name, before, after, [at, to, newTo]) => {
  expect(difference(list(...from(...before)), list(...from(...after)))).toEqual({ from: at, to, newTo });
});

it('a long list, where whole blocks are equal, and not all entries are of one size', () => {
  const hosts = Array.from({ length: 200 }, (_, at) => at);
  const lines = hosts.map((host) => `-A INPUT -s 10.0.0.${host}${host % 3 === 0 ? ' -p tcp --dport 22' : ''} -j DROP`);
  const old = list(...lines);
  for (const at of [0, 1, 62, 63, 64, 65, 127, 128, 129, 199]) {
    expect(difference(old, list(...lines.toSpliced(at, 1)))).toEqual({ from: at, to: at + 1, newTo: at });
    expect(difference(old, list(...lines.toSpliced(at, 1, '-A INPUT -j LOG')))).toEqual({
      from: at,
      to: at + 1,
      newTo: at + 1,
    });
    expect(difference(list(...lines.toSpliced(at, 1)), old)).toEqual({ from: at, to: at, newTo: at + 1 });
  }
});

it('neither counters nor what the kernel writes into entries make a difference; every other byte does', () => {
  const old = list(...from(1));
  const { nextOffset, targetOffset, counters, size } = ENTRY.ipv4;
  for (let at = 0; at < entryEnd(old, 0); at++) {
    const bytes = Buffer.from(old.bytes);
    bytes[at]! ^= 1;
    const now = listEntries(bytes, 'ipv4');
    if (at >= targetOffset && at < nextOffset + 2) continue;
    const mayDiffer = at >= nextOffset + 2 && at < size;
    expect(counters).toBeLessThan(size);
    expect(difference(old, now!).from, `byte ${at}`).toBe(mayDiffer ? old.offsets.length : 0);
  }
});

it('a jump is the same when it leads to the same chain, wherever that lies', () => {
  const chains = [':a - [0:0]', ':b - [0:0]', '-A a -j ACCEPT', '-A b -j DROP'];
  const jumps = ['-A INPUT -j a', '-A INPUT -p tcp -g b', '-A INPUT'];
  const old = list(...chains, ...jumps);
  expect(difference(old, list(...chains, ...from(9), ...jumps))).toEqual({ from: 0, to: 0, newTo: 1 });
  expect(difference(old, list(...chains, '-A INPUT -j b', ...jumps.slice(1)))).toEqual({ from: 0, to: 1, newTo: 1 });
  expect(difference(old, list(...chains, ...jumps, '-A a -j LOG'))).toMatchObject({ to: 8, newTo: 9 });
  // The other chain of that name, at the same place.
  const renamed = list(
    ':c - [0:0]',
    ':b - [0:0]',
    '-A c -j ACCEPT',
    '-A b -j DROP',
    '-A INPUT -j c',
    ...jumps.slice(1),
  );
  expect(difference(old, renamed).from).toBe(0);
});

it('what each entry is in its chain', () => {
  const blob = blobOf([':a - [0:0]', ':b - [0:0]', '-A a -j ACCEPT', '-A INPUT -j a', '-A OUTPUT -j LOG']);
  const hooks: readonly string[] = TABLE_HOOKS.filter.hooks;
  const bases = new Map(HOOKS.flatMap((hook, at): [number, string][] => (hooks.includes(hook) ? [[at, hook]] : [])));
  const roles = rolesOf(listOf(blob), blob.hookEntry, blob.underflow, bases);
  expect(roles?.map(({ role, chain }) => `${role} ${chain}`)).toEqual([
    ...['rule INPUT', 'policy INPUT', 'policy FORWARD', 'rule OUTPUT', 'policy OUTPUT'],
    ...['head a', 'rule a', 'tail a', 'head b', 'tail b', 'end '],
  ]);
  const moved = [...blob.hookEntry];
  moved[HOOKS.indexOf('FORWARD')]! += 8;
  expect(rolesOf(listOf(blob), moved, blob.underflow, bases)).toBeUndefined();
});

it('bytes that are no entries one behind the other are no list', () => {
  const { entries } = blobOf(from(1));
  const { nextOffset, targetOffset } = ENTRY.ipv4;
  const changed = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(entries);
    bytes.writeUInt16LE(value, at);
    return bytes;
  };
  for (const bytes of [
    Buffer.from(entries.subarray(0, entries.length - 1)),
    Buffer.from(entries.subarray(0, 20)),
    ...[0, 8, 151, 153, 0xfff8].map((size) => changed(nextOffset, size)),
    ...[0, 111, 121, 0xffff].map((target) => changed(targetOffset, target)),
  ])
    expect(listEntries(bytes, 'ipv4')).toBeUndefined();
  expect(listEntries(Buffer.alloc(0), 'ipv4')?.offsets).toEqual([]);
});
