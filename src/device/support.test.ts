import { expect, it } from 'vitest';
import { policiesOf } from '../../test/generate/policies.ts';
import { baseChain } from './chains.ts';
import { packetChange } from './changes.ts';
import { differences } from './differences.ts';
import type { DeviceKind } from './hook.ts';
import { misfits } from './support.ts';

const said = (kind: DeviceKind, ...lines: readonly string[]): readonly string[] => {
  const [policy] = policiesOf(`*mangle\n${lines.join('\n')}\nCOMMIT\n`, 'ipv4');
  return misfits(policy!, baseChain(policy!, 'PREROUTING')!, kind).map(
    ({ what, rule }) => `${rule.provenance.rule} ${what}`,
  );
};

it('finds rules that cannot be carried out, wherever the chain leads', () => {
  const lines = [
    ':a - [0:0]',
    '-A PREROUTING -p tcp -j a',
    '-A PREROUTING -m mark --mark 1 -j DROP',
    '-A PREROUTING -j TTL --ttl-set 3',
    '-A PREROUTING -m limit --limit 3/sec -j ACCEPT',
    '-A OUTPUT -j LOG',
    '-A a -j LOG',
  ];
  expect(said('xdp', ...lines)).toEqual(['2 the mark', '3 target TTL', '1 logging']);
  expect(said('tc-ingress', ...lines)).toEqual(['1 logging']);
});

it('says in what a policy differs only where its rules show it', () => {
  const of = (kind: DeviceKind, chain: 'PREROUTING' | 'INPUT', ...lines: readonly string[]): readonly string[] => {
    const [policy] = policiesOf(`*mangle\n${lines.join('\n')}\nCOMMIT\n`, 'ipv4');
    return differences(policy!, baseChain(policy!, chain)!, kind, { table: 'mangle', hook: chain }).map(
      ({ what }) => what,
    );
  };
  expect(of('xdp', 'PREROUTING', '-A PREROUTING -p tcp -m tcp --dport 5 -j DROP')).toEqual([]);
  expect(of('xdp', 'INPUT', '-A INPUT -i eth0 -j DROP')).toEqual(['chain INPUT', 'names of devices']);
  expect(of('xdp', 'PREROUTING', '-A PREROUTING -m length --length 40')).toEqual(['lengths and memory']);
  expect(of('tc-ingress', 'PREROUTING', '-A PREROUTING -m length --length 40')).toEqual([]);
  expect(of('tc-ingress', 'PREROUTING', '-A PREROUTING -m conntrack --ctstate NEW')).toEqual(['states of connections']);
});

it('reads what targets change', () => {
  const change = (...target: readonly string[]) => packetChange({ target, needs: [], terminal: false, writes: [] });
  expect(change('TOS', '--set-tos', '0x10/0x3f')).toEqual({ kind: 'tos', value: 16, mask: 63 });
  expect(change('DSCP', '--set-dscp', '0x0a')).toEqual({ kind: 'tos', value: 40, mask: 252 });
  expect(change('HL', '--hl-dec', '2')).toEqual({ kind: 'hops', how: 'dec', value: 2 });
  expect(change('TCPMSS', '--clamp-mss-to-pmtu')).toBeUndefined();
});
