import { expect, it } from 'vitest';
import { parseRuleset } from '../languages/iptables/parse.ts';
import type { Family } from '../packet/netfilter.ts';
import type { Table } from '../rules/model.ts';
import { decodeRule, decodeTable } from './decode.ts';
import { encodeTable } from './encode.ts';
import { entryEnd, listEntries } from './entry-list.ts';
import { ENTRY, HEADER, type TableBlob } from './format.ts';

const LINES = [
  '-A INPUT -s 10.0.0.1/32 -j DROP',
  '-A INPUT',
  '-A INPUT -p tcp -m tcp --dport 22:80 -j ACCEPT',
  '-A INPUT -p udp -m udp ! --sport 53 -m limit --limit 3/min -j LOG --log-prefix "x: "',
  '-A INPUT ! -i eth+ -f',
  '-A INPUT -m conntrack --ctstate NEW,ESTABLISHED -m comment --comment "two words" -j RETURN',
  '-A INPUT -p icmp -m icmp --icmp-type 8/0 -j REJECT --reject-with icmp-host-prohibited',
];
const LINES6 = [
  '-A INPUT -s fe80::/10 -j DROP',
  '-A INPUT',
  '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
  '-A INPUT -m hl --hl-eq 255',
];

function tableOf(lines: readonly string[], family: Family): { readonly table: Table; readonly blob: TableBlob } {
  const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${lines.join('\n')}\nCOMMIT\n`;
  const { ruleset, diagnostics } = parseRuleset({ name: 'test', text }, family);
  expect(diagnostics).toEqual([]);
  const encoded = encodeTable(ruleset!.tables[0]!, family);
  if ('problem' in encoded) throw new Error(encoded.problem.diagnostic.message);
  return { table: ruleset!.tables[0]!, blob: encoded.blob };
}

type Decoded = ReturnType<typeof decodeRule>;

/** Each rule's entry read by itself, with these bytes of it changed. */
function alone(
  blob: TableBlob,
  family: Family,
  reached = 2,
  change = (_entry: Buffer): void => {},
): readonly Decoded[] {
  const list = listEntries(Buffer.from(blob.entries), family)!;
  return list.offsets.map((offset, index) => {
    const bytes = Buffer.from(list.bytes.subarray(offset, entryEnd(list, index)));
    change(bytes);
    return decodeRule(bytes, { family, table: 'filter', offset, reached });
  });
}

const errnoOf = (decoded: Decoded | undefined): string =>
  decoded === undefined ? 'nothing' : 'rule' in decoded ? 'taken' : decoded.problem.errno;

it.each([
  ['ipv4', LINES],
  ['ipv6', LINES6],
] as const)('%s: a rule read by itself is the rule that the whole table has', (family, lines) => {
  const { blob } = tableOf(lines, family);
  const whole = decodeTable(blob, family);
  if ('problem' in whole) throw new Error(whole.problem.diagnostic.message);
  const rules = whole.table.chains.find(({ name }) => name === 'INPUT')!.rules;
  expect(rules.length).toBe(lines.length);
  expect(alone(blob, family).slice(0, lines.length)).toEqual(rules.map((rule) => ({ rule })));
});

it('a jump to a chain is a problem, whichever chain', () => {
  const { blob } = tableOf([':a - [0:0]', '-A a -j DROP', '-A INPUT -j a', '-A INPUT -p tcp -g a', '-A INPUT'], 'ipv4');
  expect(alone(blob, 'ipv4').slice(0, 3).map(errnoOf)).toEqual(['unsupported', 'unsupported', 'taken']);
});

it('what is wrong with an entry is said as of the whole table', () => {
  const { blob } = tableOf(['-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT'], 'ipv4');
  const { flags, inverted, targetOffset, protocol, size } = ENTRY.ipv4;
  const poked = (at: number, value: number): string =>
    errnoOf(alone(blob, 'ipv4', 2, (entry) => void entry.writeUInt8(value, Math.min(at, entry.length - 1)))[0]);
  expect(poked(flags, 4)).toBe('EINVAL');
  expect(poked(inverted, 0x80)).toBe('EINVAL');
  expect(poked(targetOffset, 100)).toBe('EINVAL');
  expect(poked(protocol, 17)).toBe('EINVAL');
  expect(poked(size + HEADER.name, 0x78)).toBe('ENOENT');
  expect(poked(size + HEADER.revision, 9)).toBe('EPROTOTYPE');
});

it('whatever the bytes are, it does not throw', () => {
  const { blob } = tableOf(LINES, 'ipv4');
  for (let at = 0; at < 200; at++) {
    for (const value of [0, 1, 0x7f, 0xff])
      alone(blob, 'ipv4', 2, (entry) => void entry.writeUInt8(value, Math.min(at, entry.length - 1))).map(errnoOf);
  }
  for (let length = 0; length < 200; length++)
    errnoOf(decodeRule(blob.entries.subarray(0, length), { family: 'ipv4', table: 'filter', offset: 0, reached: 2 }));
});

it('the hooks that reach a rule are those that its extensions are checked for', () => {
  const { blob } = tableOf(['-A INPUT -p tcp -j REJECT'], 'ipv4');
  const PREROUTING = 1;
  expect(errnoOf(alone(blob, 'ipv4')[0])).toBe('taken');
  expect(errnoOf(alone(blob, 'ipv4', PREROUTING)[0])).toBe('EINVAL');
});
