/** Long lists of rules of which no two are alike, most of them with a memory of their own: rows that share code count as iptables does. */
import { expect, it } from 'vitest';
import { filterPolicy } from '../generate/index.ts';
import { bpfilterFirewall, bpfilterWith } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { directedPhases } from './directed.ts';

const DEVICES = ['eth0', 'eth1'] as const;
const RULES = 1500;

/** `everywhere`: half of the rules meet every packet, and let it go on. */
function rule(i: number, everywhere: boolean): string {
  const all = everywhere && i % 2 === 0;
  const box = all
    ? ''
    : [`-s 10.0.${i % 4}.0/24`, '-p udp -m udp --dport 1000:60000', `-d 10.0.0.0/${8 + (i % 20)}`][i % 3]!;
  const test = [
    `-m limit --limit ${1 + (i % 3)}/hour --limit-burst ${1 + (i % 5)}`,
    `-m statistic --mode nth --every ${2 + (i % 11)} --packet ${i % 2}`,
    `-m quota --quota ${100 * i}`,
    `-m length --length ${i % 100}:1500`,
    `-m limit --limit ${1 + (i % 2)}/hour --limit-burst ${2 + (i % 3)} -m statistic --mode nth --every ${2 + (i % 3)} --packet 0`,
  ][i % 5]!;
  const then = all ? '' : ['', '-j RETURN', '', '', '-j DROP', ''][Math.floor(i / 90) % 6]!;
  return `-A INPUT ${box} ${test} ${then}`.replaceAll(/ +/g, ' ').trim();
}

suite('long lists of rules of many kinds', DIFFERENTIAL, () => {
  it.each([
    ['boxes', bpfilterFirewall, false],
    ['met by every packet', bpfilterFirewall, true],
    ['met by every packet, ordered', bpfilterWith('ordered'), true],
    ['boxes, in trees', bpfilterWith('trees'), false],
  ] as const)('%s', (_, right, everywhere) => {
    const rules = Array.from({ length: everywhere ? 2 * RULES : RULES }, (_, i) => rule(i, everywhere));
    const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.join('\n')}\nCOMMIT\n`;
    const policy = filterPolicy('ipv4', ...rules.slice(0, 40));
    const phases = directedPhases([policy], DEVICES, 150);
    const report = compare({ ipv4: text }, phases, { left: kernelFirewall, right, devices: DEVICES });
    expect(report).toBeUndefined();
  });
});
