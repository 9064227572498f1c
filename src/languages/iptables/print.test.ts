import { expect, it } from 'vitest';
import { parseRuleset } from './parse.ts';
import { printRuleset } from './print.ts';

const TEXT = `*nat
:PREROUTING ACCEPT [1:2]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
[3:4] -A PREROUTING ! -s 10.0.0.0/8 -i eth0 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:B - [0:0]
:a - [0:0]
:a-b - [0:0]
:a_ - [0:0]
[0:0] -A INPUT -j a
[18446744073709551615:5] -A a -m comment --comment "it's" -g B
COMMIT
`;

const { ruleset } = parseRuleset({ name: 'test', text: TEXT }, 'ipv4');

it('prints what it reads', () => {
  expect(printRuleset(ruleset!, { counters: true })).toBe(TEXT.replace("it's", "it\\'s"));
});

it('leaves out the counters of rules, not those of policies', () => {
  const text = printRuleset(ruleset!, { counters: false });
  expect(text).toContain('\n-A PREROUTING ! -s');
  expect(text).toContain(':PREROUTING ACCEPT [1:2]\n');
});

it('lists tables as a fresh kernel does: the newest first', () => {
  const text = printRuleset(ruleset!, { counters: true, tables: 'newest-first' });
  expect(text.match(/^\*.*/gm)).toEqual(['*filter', '*nat']);
});

it('sorts user chains by their bytes', () => {
  const shuffled = parseRuleset({ name: 'test', text: '*raw\n:b -\n:é -\n:a -\n:B -\nCOMMIT\n' }, 'ipv4').ruleset;
  expect(printRuleset(shuffled!, { counters: false }).match(/(?<=^:)\S+(?= -)/gm)).toEqual(['B', 'a', 'b', 'é']);
});
