import { describe, expect, it } from 'vitest';
import { policiesOf } from '../../test/generate/index.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { lowerTable } from '../lowering/lower-table.ts';
import { effectsAt, mostEffects } from './effect-paths.ts';
import type { TablePolicy } from './ir.ts';

const mangle = (...rules: readonly string[]): string => `*mangle\n${rules.join('\n')}\nCOMMIT\n`;
const policyOf = (...rules: readonly string[]): TablePolicy => policiesOf(mangle(...rules), 'ipv4')[0]!;

function troubles(...rules: readonly string[]): readonly string[] {
  const { ruleset } = parseRuleset({ name: 'test', text: mangle(...rules) }, 'ipv4');
  return lowerTable(ruleset!.tables[0]!, 'ipv4').diagnostics.map((item) => item.message);
}

describe('effects on the paths through a table', () => {
  it('are counted along the longest', () => {
    const policy = policyOf(
      ':a - [0:0]',
      ':b - [0:0]',
      '-A PREROUTING -j a',
      '-A PREROUTING -p tcp -g b',
      '-A PREROUTING -j TTL --ttl-set 3',
      '-A a -j MARK --set-mark 1',
      '-A a -j b',
      '-A b -j MARK --set-mark 2',
      '-A b -p udp -j MARK --set-mark 1',
      '-A INPUT -j b',
      '-A OUTPUT -j NFQUEUE',
      '-A OUTPUT -j MARK --set-mark 1',
    );
    expect(policy.effects).toHaveLength(4);
    expect(mostEffects(policy, 'PREROUTING')).toBe(5);
    expect(mostEffects(policy, 'INPUT')).toBe(2);
    expect(mostEffects(policy, 'OUTPUT')).toBe(1);
    expect(mostEffects(policy, 'FORWARD')).toBe(0);
    expect(effectsAt(policy, 'INPUT').map((number) => policy.effects![number]!.target.join(' '))).toEqual([
      'MARK --set-xmark 0x1/0xffffffff',
      'MARK --set-xmark 0x2/0xffffffff',
    ]);
  });

  it.each([
    ['-j TTL --ttl-set 3', '-m ttl --ttl-eq 3'],
    ['-j TOS --set-tos 8', '-m tos --tos 8'],
    ['-j DSCP --set-dscp 8', '-m dscp --dscp 8'],
    ['-j HMARK --hmark-tuple src --hmark-mod 2 --hmark-rnd 1', '-m mark --mark 1'],
    ['-p tcp -m tcp --syn -j TCPMSS --set-mss 500', '-m length --length 60'],
    ['-p tcp -m tcp --syn -j TCPMSS --set-mss 500', '-p tcp -m tcp --tcp-option 2'],
    ['-p tcp -j TCPOPTSTRIP --strip-options 2', '-p tcp -m tcp --tcp-option 2'],
    ['-j TTL --ttl-set 3', '-j LOG'],
  ])('%s, then %s: the second would not see it', (first, second) => {
    const why = /^rule 2 of chain PREROUTING cannot be run exactly in table mangle: it asks for what target/;
    expect(troubles(`-A PREROUTING ${first}`, `-A PREROUTING ${second}`)).toEqual([expect.stringMatching(why)]);
    expect(troubles(`-A PREROUTING ${second}`, `-A PREROUTING ${first}`)).toEqual([]);
    expect(troubles(`-A PREROUTING ${first}`, `-A INPUT ${second}`)).toEqual([]);
  });

  it.each([
    ['-j MARK --set-mark 3', '-m mark --mark 3'],
    ['-j CONNMARK --set-mark 3', '-m connmark --mark 3'],
    ['-j TTL --ttl-set 3', '-p tcp -m tcp --dport 3'],
    ['-p tcp -m tcp --syn -j TCPMSS --set-mss 500', '-p tcp -m tcp --syn -j TCPMSS --set-mss 400'],
    ['-j MARK --set-mark 3', '-j LOG'],
    ['-j TEE --gateway 10.0.0.1', '-m length --length 60'],
  ])('%s, then %s: fine', (first, second) => {
    expect(troubles(`-A PREROUTING ${first}`, `-A PREROUTING ${second}`)).toEqual([]);
  });

  it('conflicts are found through chains', () => {
    const rules = [
      ':a - [0:0]',
      ':b - [0:0]',
      '-A INPUT -j a',
      '-A INPUT -j b',
      '-A a -j TTL --ttl-set 3',
      '-A b -m ttl --ttl-eq 3',
    ];
    expect(troubles(...rules)).toHaveLength(1);
    expect(troubles(...rules.map((rule) => rule.replace('INPUT -j b', 'OUTPUT -j b')))).toEqual([]);
  });

  it('who leaves by a goto meets what its callers have, and nothing else of the chain it left', () => {
    const rules = [
      ':a - [0:0]',
      ':b - [0:0]',
      '-A INPUT -j a',
      '-A INPUT -p udp',
      '-A a -g b',
      '-A a -m ttl --ttl-eq 3',
      '-A b -j TTL --ttl-set 3',
    ];
    expect(troubles(...rules)).toEqual([]);
    expect(troubles(...rules.map((rule) => rule.replace('-A a -g b', '-A a -j b')))).toHaveLength(1);
    expect(troubles(...rules.map((rule) => rule.replace('-p udp', '-m ttl --ttl-eq 3')))).toHaveLength(1);
  });

  it('more than a list holds are too many', () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_, index) => `-A INPUT -m mark --mark ${index} -j MARK --set-mark ${index}`);
    expect(troubles(...rules(63))).toEqual([]);
    expect(troubles(...rules(64))).toEqual([expect.stringContaining('a packet can meet 64 targets')]);
  });
});
