/** Options that no other comparison has, against iptables. */
import { expect, it } from 'vitest';
import { FAMILIES, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { allFlows, ENDS } from './flows.ts';
import { FORWARD } from './stimulus.ts';

const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };

function rulesFile(table: TableName, rules: readonly string[]): string {
  const policies = TABLE_HOOKS[table].hooks.map((hook) => `:${hook} ACCEPT [0:0]\n`).join('');
  return `*${table}\n${policies}${rules.map((rule) => `${rule}\n`).join('')}COMMIT\n`;
}

suite('rare options', DIFFERENTIAL, () => {
  it.each(FAMILIES)('%s: do what they do for iptables', (family) => {
    const { client, server } = ENDS[family];
    const most = family === 'ipv4' ? 24 : 64;
    const rules = [
      `-A FORWARD -m conntrack --ctorigsrc ${client} --ctorigdst ${server}`,
      `-A FORWARD -m conntrack ! --ctreplsrc ${client} --ctrepldst ${client}`,
      '-A FORWARD -p tcp -m conntrack --ctproto 6 --ctorigsrcport 1:65535 --ctrepldstport 1024:65535',
      `-A FORWARD -m hashlimit --hashlimit-upto 2/day --hashlimit-burst 3 --hashlimit-mode dstip --hashlimit-dstmask ${most} --hashlimit-name dm${family}`,
      '-A FORWARD -j LOG --log-macdecode',
      '-A FORWARD -j NFLOG --nflog-threshold 3',
      '-A FORWARD -m time --utc --timestart 00:00',
    ];
    const phases = [{ path: FORWARD, stimuli: allFlows(ENDS[family]) }];
    expect(compare({ [family]: rulesFile('filter', rules) }, phases, options)).toBeUndefined();
    for (const rule of [
      '-j TOS --and-tos 0x3',
      '-j TOS --or-tos 0x3',
      '-j TOS --xor-tos 0x3',
      '-j DSCP --set-dscp-class AF11',
      '-j HMARK --hmark-src-prefix 8 --hmark-dst-prefix 8 --hmark-sport-mask 0xff --hmark-dport-mask 0xff --hmark-proto-mask 0xf --hmark-mod 7 --hmark-rnd 1',
      '-j NFQUEUE --queue-balance 4:5 --queue-bypass --queue-cpu-fanout',
    ]) {
      const text = rulesFile('mangle', [`-A FORWARD -p tcp ${rule}`, '-A FORWARD']);
      const marks = rulesFile(
        'filter',
        ['0', '1', '2', '3', '4', '5', '6'].map((n) => `-A FORWARD -m mark --mark ${n}`),
      );
      expect(compare({ [family]: text + marks }, phases, options), rule).toBeUndefined();
    }
  });
});
