/** Options that are passed on to the kernel in these very words, against iptables: the words arrive. */
import { expect, it } from 'vitest';
import { withNamespace } from '../../src/kernel/namespace.ts';
import { FAMILIES, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { run } from '../support/command.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { ADDRESSES, ipset, prepared, stimuliOf } from './asking.ts';
import { compare } from './bisect.ts';
import { allFlows, ENDS } from './flows.ts';
import { compareRounds, table } from './staging.ts';
import { FORWARD } from './stimulus.ts';
import { withTwins } from './twin.ts';

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

  it.each(FAMILIES)('%s: TEE through a device', (family) => {
    const { client, server } = ENDS[family];
    const gateway = family === 'ipv4' ? '10.0.1.2' : 'fd00:1::2';
    const rules = [
      `-A PREROUTING -p udp -s ${client} -j TEE --gateway ${gateway} --oif eth1`,
      `-A PREROUTING -p udp -s ${server} -j TEE --gateway ${gateway} --oif eth0`,
    ];
    const phases = [{ path: FORWARD, stimuli: allFlows(ENDS[family]) }];
    expect(compare({ [family]: rulesFile('mangle', rules) }, phases, options)).toBeUndefined();
  });

  // What these do shows outside of packets, or takes what this kernel has not. The kernel's own target does it, with the structure that its own iptables makes.
  it.each(FAMILIES)('%s: the kernel carries out the target of these words', (family) => {
    const address = family === 'ipv4' ? '10.9.0.1' : 'fd09::1';
    const tables: Readonly<Partial<Record<TableName, readonly string[]>>> = {
      raw: ['-A PREROUTING -j CT --ctevents new,destroy', '-A PREROUTING -j CT --expevents new'],
      mangle: [
        '-A FORWARD -j SET --map-set prios src --map-prio --map-queue',
        '-A PREROUTING -p esp -j HMARK --hmark-spi 0x1234 --hmark-mod 7 --hmark-rnd 0x1 --hmark-proto-mask 0xff',
        '-A PREROUTING -p esp -j HMARK --hmark-spi-mask 0xffff0000 --hmark-mod 7 --hmark-rnd 0x1 --hmark-proto-mask 0xff',
        `-A PREROUTING -p tcp -j TPROXY --on-port 80 --on-ip ${address} --tproxy-mark 0x1/0x1`,
        '-A PREROUTING -j CONNSECMARK --restore',
      ],
    };
    const text = Object.entries(tables)
      .map(([name, rules]) => rulesFile(name as TableName, rules))
      .join('');
    const prepare = (namespace: string): void =>
      ipset(namespace, [`create prios hash:ip${family === 'ipv4' ? '' : ' family inet6'} skbinfo`]);
    const targets = (namespace: string, name: string): readonly string[] =>
      withNamespace(namespace, () =>
        run(family === 'ipv4' ? 'iptables-legacy-save' : 'ip6tables-legacy-save', ['-t', name]),
      )
        .split('\n')
        .flatMap((line) => line.match(/-j (?:CT|SET|HMARK|TPROXY|CONNSECMARK) .*/) ?? [])
        .map((line) => line.trim())
        .sort();
    const twins = { ...options, left: prepared(options.left, prepare), right: prepared(options.right, prepare) };
    withTwins({ [family]: text }, twins, (left, right) => {
      for (const [name, rules] of Object.entries(tables)) {
        const found = targets(right.topology.namespace, name);
        expect(found).toHaveLength(rules.length);
        expect(found).toEqual(targets(left.topology.namespace, name));
      }
    });
  });

  it.each(FAMILIES)('%s: packets a second of two estimators', (family) => {
    const estimators = ['a', 'b'].map(
      (name) => `-A PREROUTING -j RATEEST --rateest-name ${name} --rateest-interval 250ms --rateest-ewmalog 500ms`,
    );
    const delta = '-m rateest --rateest-delta --rateest1 a --rateest2 b';
    // The difference to a rate that nothing reaches says which number is whose, and does not hang on the moment.
    const rules = [
      `-A FORWARD ${delta} --rateest-pps1 4000000000 --rateest-gt --rateest-pps2 1`,
      `-A FORWARD ${delta} --rateest-pps1 1 --rateest-lt --rateest-pps2 4000000000`,
      `-A FORWARD ${delta} --rateest-pps1 4000000000 --rateest-lt --rateest-pps2 1`,
      `-A FORWARD ${delta} --rateest-pps1 4000000000 --rateest-eq --rateest-pps2 4000000000`,
    ];
    const phases = [{ path: FORWARD, stimuli: allFlows(ENDS[family]) }];
    const text = rulesFile('mangle', estimators) + rulesFile('filter', rules);
    expect(compare({ [family]: text }, phases, options)).toBeUndefined();
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
