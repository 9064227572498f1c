/** Options that are passed on to the kernel in these very words, against iptables: the words arrive. */
import { expect, it } from 'vitest';
import { FAMILIES, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { ADDRESSES, ipset, stimuliOf } from './asking.ts';
import { compare } from './bisect.ts';
import { allFlows, ENDS } from './flows.ts';
import { compareRounds, table } from './staging.ts';
import { FORWARD } from './stimulus.ts';

const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };

function rulesFile(name: TableName, rules: readonly string[]): string {
  const policies = TABLE_HOOKS[name].hooks.map((hook) => `:${hook} ACCEPT [0:0]\n`).join('');
  return `*${name}\n${policies}${rules.map((rule) => `${rule}\n`).join('')}COMMIT\n`;
}

suite('options that are passed on', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: HMARK with ports, zones of one direction', (family) => {
    const phases = [{ path: FORWARD, stimuli: allFlows(ENDS[family]) }];
    const hmark = '--hmark-sport 80 --hmark-dport 53 --hmark-mod 7 --hmark-rnd 1';
    const marks = rulesFile(
      'filter',
      ['0', '1', '2', '3', '4', '5', '6'].map((n) => `-A FORWARD -m mark --mark ${n}`),
    );
    const mangle = rulesFile('mangle', [`-A FORWARD -p tcp -j HMARK --hmark-tuple src,dst,proto,sport,dport ${hmark}`]);
    expect(compare({ [family]: mangle + marks }, phases, options)).toBeUndefined();
    for (const way of ['--zone-orig 3', '--zone-reply 3']) {
      const raw = rulesFile('raw', [`-A PREROUTING -j CT ${way}`]);
      const states = rulesFile(
        'filter',
        ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID'].map((state) => `-A FORWARD -m conntrack --ctstate ${state}`),
      );
      expect(compare({ [family]: raw + states }, phases, options), way).toBeUndefined();
    }
  });

  it.each(FAMILIES)('%s: counters of elements of a set', (family) => {
    const words = ['--packets-eq 2', '--packets-lt 3', '--bytes-eq 100', '--bytes-lt 200', '--bytes-gt 150'];
    const sets = [
      `create counting hash:ip${family === 'ipv4' ? '' : ' family inet6'} counters`,
      ...ADDRESSES[family].slice(0, 3).map((address) => `add counting ${address}`),
    ];
    const lines = [
      '-A FORWARD -m set --match-set counting src',
      ...words.map((word) => `-A FORWARD -m set --match-set counting src ! --update-counters ${word}`),
    ];
    const prepare = (namespace: string): void => ipset(namespace, sets);
    const saved = compareRounds(family, table(lines), [stimuliOf(family), stimuliOf(family)], { prepare });
    for (const word of ['packets-lt', 'bytes-gt'])
      expect(saved).toMatch(new RegExp(`\\[[1-9]\\d*:\\d+\\] .*--${word}`));
  });
});
