/** Rule lines to start from: some of our own, and those of the shared test material where it is at hand. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TARGETS } from '../../src/extensions/registry.ts';

const OWN = [
  '-A INPUT -s 10.0.0.0/8 -d 192.168.0.0/255.255.0.255 -i eth+ -p tcp -m tcp --dport 22 -j ACCEPT',
  '-A FORWARD ! -s 1.2.3.4,5.6.7.8 -o eth0 -p udp --sport 53:1024 -j DROP',
  '-A OUTPUT -p tcp --tcp-flags SYN,ACK SYN -m state --state NEW,ESTABLISHED -j LOG --log-prefix "a b: " --log-level 4',
  '-A INPUT -p icmp --icmp-type echo-request -m limit --limit 5/s --limit-burst 9 -j REJECT --reject-with icmp-net-prohibited',
  '-A INPUT -m comment --comment "quo\\"ted" -g chain',
  '[1:2] -A INPUT -c 3 4 -j chain',
  '-I INPUT 1 -m multiport -p tcp --dports 1,2:3,http -m conntrack ! --ctstate INVALID',
  '-N other',
  '-P INPUT DROP',
  '-F',
  '-X other',
  '-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128/0 -s fe80::/10,::1',
  '-A OUTPUT -m owner --uid-owner 0-10 -m mark --mark 0x1/0xff -m statistic --mode nth --every 3 --packet 0',
  '-A INPUT -m recent --rcheck --seconds 60 --hitcount 4 --rttl --name ssh --rsource -j DROP',
  '-A INPUT -m hashlimit --hashlimit-upto 5/min --hashlimit-burst 7 --hashlimit-mode srcip,dstport --hashlimit-name web',
  '-A INPUT -m hashlimit --hashlimit-above 512kb/s --hashlimit-burst 1mb --hashlimit-name bytes',
  '-A INPUT -m connlimit --connlimit-above 10 --connlimit-mask 24 --connlimit-daddr -j DROP',
  '-A INPUT -m time --timestart 08:00 --timestop 18:00 --weekdays Mon,Tue ! --monthdays 1,2 --datestart 2026-01-01',
  '-A INPUT -m u32 --u32 "6&0xFF=1:5,7 && 0>>22&0x3C@0>>24=8"',
  '-A FORWARD -m policy --dir in --pol ipsec --strict --reqid 1 --proto esp --next ! --mode transport --spi 0x5',
  '-A FORWARD -m physdev --physdev-in eth+ ! --physdev-out br0.1 --physdev-is-bridged',
  '-A INPUT -m string --hex-string "GET |0d 0a|" --algo kmp --from 40 --to 60 --icase',
  '-A INPUT -m cluster --cluster-total-nodes 3 --cluster-local-node 2 --cluster-hash-seed 0xdeadbeef',
  '-A INPUT -m rt --rt-type 0 --rt-segsleft 1:2 --rt-0-addrs ::1,::2 --rt-0-not-strict',
  '-A INPUT -m frag --fragid 5:6 --fragfirst -m hbh --hbh-opts 5:2,194:4 -m dst ! --dst-len 8',
  '-A INPUT -m ipv6header --header hop,dst,frag --soft -m srh --srh-segs-left-gt 1 --srh-psid a::/64',
  '-A INPUT -j HMARK --hmark-tuple src,dst,sport --hmark-mod 10 --hmark-rnd 0xfeed --hmark-offset 7',
  '-A INPUT -j RATEEST --rateest-name eth0 --rateest-interval 250ms --rateest-ewmalog 0.5s',
];

/** The line as it can stand in a table whose only user chain is "chain". */
function inSmallTable(line: string): string {
  return line
    .replace(/-A (\S+)/, (whole, chain: string) => (/^(INPUT|FORWARD|OUTPUT)$/.test(chain) ? whole : '-A INPUT'))
    .replace(/-([jg]) (\S+)/, (whole, option: string, target: string) =>
      VERDICTS.test(target) || TARGETS.some((known) => known.name === target) ? whole : `-${option} chain`,
    );
}

const VERDICTS = /^(ACCEPT|DROP|RETURN|QUEUE)$/;

/** Rule lines `shared` is the folder of the test material. */
export function seedLines(shared: string): readonly string[] {
  const lines = new Set(OWN);
  const corpus = join(shared, 'corpus');
  const conformance = join(shared, 'conformance', 'iptables');
  if (existsSync(corpus)) {
    for (const file of readdirSync(corpus)) {
      if (!/\.(save6?|rules6?|ipt|dump6?|aud[46]|restore)$/.test(file)) continue;
      for (const line of readFileSync(join(corpus, file), 'utf8').split('\n'))
        if (/^[[-]/.test(line)) lines.add(inSmallTable(line));
    }
  }
  if (existsSync(conformance)) {
    for (const file of readdirSync(conformance).filter((name) => name.endsWith('.t'))) {
      for (const line of readFileSync(join(conformance, file), 'utf8').split('\n')) {
        if (/^[-!]/.test(line)) lines.add(`-A INPUT ${line.split(';')[0]}`);
      }
    }
  }
  return [...lines];
}
