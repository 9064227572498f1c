/** What is missing between the programs that a suspended packet goes through stops it; what an earlier packet left says nothing. */
import { expect, it } from 'vitest';
import { withSession } from '../../src/firewall/session.ts';
import { type BpfMap, u32Key } from '../../src/kernel/map.ts';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { openPinnedMap } from '../../src/kernel/object.ts';
import { FAMILIES, type Family } from '../../src/packet/netfilter.ts';
import { TCP_FLAGS, tcp, truncated } from '../../src/packet/transport.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { DEVICES } from './asking.ts';
import { ENDS, fromClient } from './flows.ts';
import { stagedChains, staging, table } from './staging.ts';
import { buildSide, type Side } from './twin.ts';

const RULES = table(['-A FORWARD -p tcp -m tcp --dport 22 -m connlimit --connlimit-above 1000 -j DROP']);

/** How many of one packet to port 22 and one to port 80 are forwarded. */
function forwarded(side: Side, family: Family): readonly number[] {
  const passed = (): number => {
    const delivered = side.observe([]).delivered;
    return Number((delivered[family === 'ipv4' ? 'forward4' : 'forward6'] ?? '0').split(':')[0]);
  };
  return [22, 80].map((port) => {
    const before = passed();
    side.send(fromClient(ENDS[family], tcp({ source: 4000, destination: port, flags: TCP_FLAGS.SYN })));
    side.settle();
    return passed() - before;
  });
}

function withSide(family: Family, body: (side: Side) => void): void {
  const side = buildSide(staging, { [family]: RULES }, { devices: DEVICES });
  try {
    side.topology.deliver({ kind: 'forward', shift: 1 });
    expect(forwarded(side, family)).toEqual([1, 1]);
    body(side);
  } finally {
    side.close();
  }
}

suite('suspended packets', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: dropped when the questions are gone', (family) => {
    withSide(family, (side) => {
      withNamespace(side.topology.namespace, () =>
        run('nft', ['delete', 'table', family === 'ipv4' ? 'ip' : 'ip6', 'bpfilter']),
      );
      expect(forwarded(side, family)).toEqual([0, 1]);
      side.firewall.apply({ [family]: RULES });
      expect(
        withSession(side.topology.namespace, ({ layout }) =>
          waiting(layout.generationMap(2, family, 'bf_suspended_n')),
        ),
      ).toBe(0n);
    });
  });

  it.each(FAMILIES)('%s: dropped when the program that goes on is gone', (family) => {
    withSide(family, (side) => {
      withSession(side.topology.namespace, ({ layout }) => {
        const programs = openPinnedMap(layout.generationMap(1, family, 'bf_resume'));
        try {
          programs.delete(u32Key(0));
        } finally {
          programs.close();
        }
      });
      expect(forwarded(side, family)).toEqual([0, 1]);
      // An entry was left behind, under an address that other packets will have.
      expect(forwarded(side, family)).toEqual([0, 1]);
    });
  });

  it.each(FAMILIES)('%s: those that the match itself has dropped do not fill the map for ever', (family) => {
    const rules = table(['-A FORWARD -p tcp -m connlimit --connlimit-above 1000 -j DROP']);
    const side = buildSide(staging, { [family]: rules }, { devices: DEVICES });
    try {
      side.topology.deliver({ kind: 'forward', shift: 1 });
      const { namespace } = side.topology;
      expect(forwarded(side, family)).toEqual([1, 1]);
      const inMap = <T>(name: string, act: (map: BpfMap) => T): T =>
        withSession(namespace, ({ layout }) => {
          const map = openPinnedMap(layout.generationMap(1, family, name));
          try {
            return act(map);
          } finally {
            map.close();
          }
        });
      const short = fromClient(ENDS[family], truncated(tcp({ source: 4000, destination: 22 }), 3));
      for (let count = 0; count < 300; count++) side.send(short);
      side.settle();
      const left = inMap('bf_suspended', (map) => map.keys().map((key) => map.lookup(key)));
      expect(left.length).toBeGreaterThan(0);
      expect(left.length).toBeLessThan(100);
      expect(forwarded(side, family)).toEqual([1, 1]);
      // A map that is full of such entries, from long ago.
      const old = Buffer.from(left[0]!);
      old.writeUInt32LE((old.readUInt32LE(28) - 3_000_000) >>> 0, 28);
      const full = inMap('bf_suspended', (map) => {
        for (const key of map.keys()) map.delete(key);
        for (let at = 1n; at <= 4096n; at++) {
          const key = Buffer.alloc(8);
          key.writeBigUInt64LE(at);
          map.update(key, old);
        }
        return map.keys().length;
      });
      expect(full).toBe(4096);
      inMap('bf_suspended_n', (map) => {
        const value = Buffer.alloc(16);
        value.writeBigUInt64LE(4096n);
        map.writeValue(value);
      });
      expect(forwarded(side, family)).toEqual([1, 1]);
      expect(inMap('bf_suspended', (map) => map.keys())).toEqual([]);
      expect(inMap('bf_suspended_n', (map) => Buffer.from(map.readValue()).readBigUInt64LE())).toBe(0n);
    } finally {
      side.close();
    }
  });

  it('both families, one applied alone, and gone', () => {
    const side = buildSide(staging, { ipv4: RULES, ipv6: RULES }, { devices: DEVICES });
    try {
      side.topology.deliver({ kind: 'forward', shift: 1 });
      const { namespace } = side.topology;
      const chains = (): readonly (readonly string[])[] => FAMILIES.map((family) => stagedChains(namespace, family));
      expect(chains()[1]).toEqual(['staged_1_filter', 'staged_1_filter_FORWARD_1']);
      side.firewall.apply({ ipv4: RULES });
      expect(chains()).toEqual([
        ['staged_2_filter', 'staged_2_filter_FORWARD_1'],
        ['staged_1_filter', 'staged_1_filter_FORWARD_1'],
      ]);
      for (const family of FAMILIES) expect(forwarded(side, family)).toEqual([1, 1]);
      bpfilterFirewall
        .open(namespace)
        .apply({ ipv4: table([]), ipv6: table(['-A FORWARD -m connlimit --connlimit-above 9']) });
      expect(chains()).toEqual([[], ['staged_3_filter', 'staged_3_filter_FORWARD_1']]);
      for (const family of FAMILIES) expect(forwarded(side, family)).toEqual([1, 1]);
    } finally {
      side.close();
    }
  });
});

/** The one number in a map. */
function waiting(path: string): bigint {
  const map = openPinnedMap(path);
  try {
    return Buffer.from(map.readValue()).readBigUInt64LE();
  } finally {
    map.close();
  }
}
