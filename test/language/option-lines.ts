/** Good rules that together give every option of every match and target once: where bad values are put in. */

import { FAMILIES, type Family, type TableName } from '../../src/packet/netfilter.ts';

/** `@` stands for an address, `%` for a network, `#` for a prefix length of the family. */
const RULES: Readonly<Record<string, readonly string[]>> = {
  'filter INPUT': [
    '-m addrtype --src-type LOCAL --dst-type UNICAST,MULTICAST --limit-iface-in',
    '-p ah -m ah --ahspi 1:2',
    '-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"',
    '-m bpf --object-pinned /sys/fs/bpf/none',
    '-m cgroup --path a/b',
    '-m cgroup --cgroup 5',
    '-m cluster --cluster-total-nodes 3 --cluster-local-node 2 --cluster-hash-seed 7',
    '-m cluster --cluster-total-nodes 3 --cluster-local-nodemask 5 --cluster-hash-seed 7',
    '-m comment --comment text',
    '-m connbytes --connbytes 5:9 --connbytes-mode packets --connbytes-dir both',
    '-m connlabel --label 40 --set',
    '-m connlimit --connlimit-upto 3 --connlimit-mask # --connlimit-saddr',
    '-m connlimit --connlimit-above 3 --connlimit-mask # --connlimit-daddr',
    '-m connmark --mark 0x1/0xff',
    '-p udp -m conntrack --ctstate NEW,RELATED --ctproto 17 --ctorigsrc % --ctorigdst @ --ctreplsrc @ --ctrepldst @ --ctorigsrcport 1:2 --ctorigdstport 3 --ctreplsrcport 4 --ctrepldstport 5 --ctstatus CONFIRMED --ctexpire 4:5 --ctdir REPLY',
    '-m cpu --cpu 1',
    '-p dccp -m dccp --sport 1:2 --dport 3 --dccp-types REQUEST,RESET --dccp-option 5',
    '-m dscp --dscp 0x0a',
    '-m dscp --dscp-class AF11',
    '-p tcp -m ecn --ecn-tcp-ece --ecn-tcp-cwr --ecn-ip-ect 1',
    '-p esp -m esp --espspi 1:2',
    '-m hashlimit --hashlimit-upto 5/minute --hashlimit-burst 7 --hashlimit-mode srcip,dstport --hashlimit-name web --hashlimit-htable-size 10 --hashlimit-htable-max 20 --hashlimit-htable-gcinterval 500 --hashlimit-htable-expire 9000 --hashlimit-srcmask # --hashlimit-dstmask #',
    '-m hashlimit --hashlimit-above 512kb/s --hashlimit-burst 1mb --hashlimit-mode srcip --hashlimit-name bytes',
    '-m hashlimit --hashlimit-upto 5/minute --hashlimit-burst 7 --hashlimit-mode srcip --hashlimit-name rate --hashlimit-rate-match --hashlimit-rate-interval 3',
    '-m helper --helper ftp-2121',
    '-p ipcomp -m ipcomp --ipcompspi 1:2 --compres',
    '-m iprange --src-range @-@ --dst-range @',
    '-m ipvs --vproto 6 --vaddr % --vport 80 --vdir ORIGINAL --vmethod MASQ --vportctl 21',
    '-m ipvs ! --ipvs',
    '-m length --length 5:9',
    '-m limit --limit 5/minute --limit-burst 7',
    '-m mac --mac-source 02:00:00:00:00:01',
    '-m mark --mark 0x1/0xff',
    '-p tcp -m multiport --sports 1,2:3',
    '-p tcp -m multiport --dports 1,2:3',
    '-p tcp -m multiport --ports 1,2:3',
    '-m nfacct --nfacct-name http',
    '-m physdev --physdev-is-in --physdev-in eth+',
    '-m pkttype --pkt-type broadcast',
    '-m policy --dir in --pol ipsec --strict --reqid 1 --spi 0x5 --proto esp --mode tunnel --tunnel-src @ --tunnel-dst % --next --reqid 2',
    '-m quota --quota 1000',
    '-m rateest --rateest eth0 --rateest-lt --rateest-bps 5mbit',
    '-m rateest --rateest eth0 --rateest-gt --rateest-pps 5',
    '-m rateest --rateest-delta --rateest1 a --rateest-bps1 1mbit --rateest-eq --rateest2 b --rateest-bps2 2mbit',
    '-m rateest --rateest-delta --rateest1 a --rateest-pps1 1 --rateest-eq --rateest2 b --rateest-pps2 2',
    '-m recent --rcheck --seconds 60 --reap --hitcount 4 --rttl --name ssh --mask @ --rsource',
    '-m recent --set --name ssh --rdest',
    '-m recent --update --name ssh',
    '-m recent --remove --name ssh',
    '-p sctp -m sctp --sport 1:2 --dport 3 --chunk-types any DATA:Be,INIT',
    '-m set --match-set list src,dst --return-nomatch ! --update-counters ! --update-subcounters --packets-eq 5 --bytes-eq 6',
    '-m set --match-set list src --packets-lt 5 --bytes-lt 6',
    '-m set --match-set list src --packets-gt 5 --bytes-gt 6',
    '-m socket --transparent --nowildcard --restore-skmark',
    '-m state --state NEW,ESTABLISHED',
    '-m statistic --mode random --probability 0.25',
    '-m statistic --mode nth --every 5 --packet 2',
    '-m string --string text --algo bm --from 4 --to 90 --icase',
    '-m string --hex-string "a|0d 0a|" --algo kmp',
    '-p tcp -m tcp --sport 1:2 --dport 3 --tcp-option 5 --tcp-flags SYN,ACK SYN',
    '-p tcp -m tcp --syn',
    '-p tcp -m tcpmss --mss 5:9',
    '-m time --timestart 08:00 --timestop 18:00:01 --monthdays 1,30 --weekdays Mon,Fri --datestart 2026-01-02T03:04:05 --datestop 2027 --kerneltz',
    '-m time --timestart 22:00 --timestop 06:00 --contiguous --utc',
    '-m tos --tos 0x10/0x3f',
    '-m u32 --u32 "6&0xFF=1:5,7 && 0>>22&0x3C@0>>24=8"',
    '-p udp -m udp --sport 1:2 --dport 3',
    '-p udplite -m udplite --sport 1:2 --dport 3',
    '-j AUDIT --type accept',
    '-j CONNMARK --set-xmark 0x1/0xff',
    '-j CONNMARK --set-mark 0x1/0xff',
    '-j CONNMARK --and-mark 0xff',
    '-j CONNMARK --or-mark 0xff',
    '-j CONNMARK --xor-mark 0xff',
    '-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0',
    '-j CONNMARK --restore-mark --mask 0xff',
    '-j CONNMARK --set-xmark 0x1/0xff --left-shift-mark 3',
    '-j CONNMARK --set-xmark 0x1/0xff --right-shift-mark 3',
    '-j HMARK --hmark-tuple ct --hmark-mod 10 --hmark-rnd 0xfeed --hmark-offset 7 --hmark-src-prefix # --hmark-dst-prefix # --hmark-sport-mask 0xff --hmark-dport-mask 0xff --hmark-proto-mask 0xff',
    '-j HMARK --hmark-tuple src,dst --hmark-mod 10 --hmark-rnd 1 --hmark-spi-mask 0xff',
    '-j HMARK --hmark-tuple src,dst --hmark-mod 10 --hmark-rnd 1 --hmark-sport 5 --hmark-dport 6',
    '-j HMARK --hmark-tuple src,dst --hmark-mod 10 --hmark-rnd 1 --hmark-spi 5',
    '-j IDLETIMER --timeout 10 --label away --alarm',
    '-j LED --led-trigger-id light --led-delay 40 --led-always-blink',
    '-j LOG --log-prefix text --log-level 5 --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode',
    '-j MARK --set-xmark 0x1/0xff',
    '-j MARK --set-mark 0x1/0xff',
    '-j MARK --and-mark 0xff',
    '-j MARK --or-mark 0xff',
    '-j MARK --xor-mark 0xff',
    '-j NFLOG --nflog-prefix text --nflog-group 3 --nflog-range 5 --nflog-threshold 6',
    '-j NFLOG --nflog-size 5',
    '-j NFQUEUE --queue-num 3 --queue-bypass',
    '-j NFQUEUE --queue-balance 3:9 --queue-cpu-fanout',
    '-j RATEEST --rateest-name eth0 --rateest-interval 250ms --rateest-ewmalog 0.5s',
    '-j REJECT --reject-with REJECT-TYPE',
    '-j SET --add-set list src,dst --exist --timeout 7',
    '-j SET --del-set list src',
    '-p tcp -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1400 --ecn',
    '-p tcp --syn -j TCPMSS --set-mss 1400',
    '-j TEE --gateway @ --oif eth0',
  ],
  'filter OUTPUT': [
    '-m owner --socket-exists --uid-owner 5-9 --gid-owner 7 --suppl-groups',
    '-j CLASSIFY --set-class 1:0x2',
  ],
  'filter FORWARD': [
    '-m devgroup --src-group 1/0xf --dst-group 2',
    '-m physdev --physdev-is-bridged --physdev-out eth+ --physdev-is-out',
    '-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu',
    '-m addrtype ! --src-type LOCAL --limit-iface-out',
  ],
  'raw PREROUTING': [
    '-m rpfilter --loose --validmark --accept-local --invert',
    '-p tcp -j CT --helper ftp --ctevents new,mark --expevents new --zone 5',
    '-j CT --notrack --zone-orig 5',
    '-p tcp -j CT --timeout some --zone-reply mark',
    '-j NOTRACK',
    '-j TRACE',
  ],
  'mangle FORWARD': [
    '-j CHECKSUM --checksum-fill',
    '-j CONNSECMARK --save',
    '-j CONNSECMARK --restore',
    '-j DSCP --set-dscp 0x0a',
    '-j DSCP --set-dscp-class AF11',
    '-j SECMARK --selctx system_u:object_r:x_t:s0',
    '-j SET --map-set list src --map-mark --map-prio --map-queue',
    '-p tcp -j TCPOPTSTRIP --strip-options 8,sack',
    '-j TOS --set-tos 0x10/0x3f',
    '-j TOS --and-tos 0x10',
    '-j TOS --or-tos 0x10',
    '-j TOS --xor-tos 0x10',
  ],
  'mangle PREROUTING': ['-p tcp -j TPROXY --on-port 80 --on-ip @ --tproxy-mark 0x1/0xff'],
  'nat PREROUTING': [
    '-p tcp -j DNAT --to-destination @ --random --persistent',
    '-p tcp -j REDIRECT --to-ports 5-9 --random',
    '-j NETMAP --to %',
  ],
  'nat POSTROUTING': [
    '-p tcp -j MASQUERADE --to-ports 5-9 --random',
    '-p tcp -j MASQUERADE --random-fully',
    '-p tcp -j SNAT --to-source @ --random --persistent',
    '-p tcp -j SNAT --to-source @ --random-fully',
  ],
};

/** What only one family has. */
const OF_FAMILY: Readonly<Record<Family, Readonly<Record<string, readonly string[]>>>> = {
  ipv4: {
    'filter INPUT': [
      '-p icmp -m icmp --icmp-type 3/1',
      '-p tcp -m osf --genre Linux --ttl 1 --log 0',
      '-m realm --realm 1/0xff',
      '-m ttl --ttl-eq 5',
      '-m ttl --ttl-lt 5',
      '-m ttl --ttl-gt 5',
    ],
    'mangle FORWARD': [
      '-p tcp -j ECN --ecn-tcp-remove',
      '-p tcp -j ECN --ecn-tcp-ece 1 --ecn-tcp-cwr 0 --ecn-ip-ect 2',
      '-j TTL --ttl-set 5',
      '-j TTL --ttl-inc 5',
      '-j TTL --ttl-dec 5',
    ],
  },
  ipv6: {
    'filter INPUT': [
      '-p ah -m ah --ahspi 1:2 --ahlen 4 --ahres',
      '-m dst --dst-len 8 --dst-opts 5:2,194:4',
      '-m eui64',
      '-m frag --fragid 5:6 --fraglen 8 --fragres --fragfirst --fragmore',
      '-m frag --fraglast',
      '-m hbh --hbh-len 8 --hbh-opts 5:2,194:4',
      '-m hl --hl-eq 5',
      '-m hl --hl-lt 5',
      '-m hl --hl-gt 5',
      '-p ipv6-icmp -m icmp6 --icmpv6-type 1/3',
      '-m ipv6header --header hop,dst --soft',
      '-p mobility-header -m mh --mh-type 1:3',
      '-m rt --rt-type 0 --rt-segsleft 1:2 --rt-len 24 --rt-0-res --rt-0-addrs ::1,::2 --rt-0-not-strict',
      '-m srh --srh-next-hdr 17 --srh-hdr-len-eq 4 --srh-segs-left-eq 1 --srh-last-entry-eq 2 --srh-tag 3 --srh-psid a::/64 --srh-nsid b:: --srh-lsid c::',
      '-m srh --srh-hdr-len-gt 4 --srh-segs-left-gt 1 --srh-last-entry-gt 2',
      '-m srh --srh-hdr-len-lt 4 --srh-segs-left-lt 1 --srh-last-entry-lt 2',
    ],
    'mangle PREROUTING': ['-j DNPT --src-pfx a::/64 --dst-pfx b::/64'],
    'mangle POSTROUTING': ['-j SNPT --src-pfx a::/64 --dst-pfx b::/64'],
    'mangle FORWARD': ['-j HL --hl-set 5', '-j HL --hl-inc 5', '-j HL --hl-dec 5'],
  },
};

const WORDS = {
  ipv4: { address: '10.1.2.3', network: '10.1.0.0/16', length: '24', reject: 'icmp-host-unreachable' },
  ipv6: { address: 'fd00::1', network: 'fd00::/64', length: '64', reject: 'icmp6-addr-unreachable' },
} as const;

export interface OptionLine {
  readonly family: Family;
  readonly table: TableName;
  /** Without line end: `-A CHAIN ...`. */
  readonly text: string;
}

/** All of them, for both families. */
export function optionLines(): readonly OptionLine[] {
  return FAMILIES.flatMap((family) => [...linesOf(family, RULES), ...linesOf(family, OF_FAMILY[family])]);
}

function linesOf(family: Family, rules: Readonly<Record<string, readonly string[]>>): readonly OptionLine[] {
  const { address, network, length, reject } = WORDS[family];
  return Object.entries(rules).flatMap(([place, texts]) => {
    const [table, chain] = place.split(' ') as [TableName, string];
    return texts.map((text) => {
      const filled = text
        .replace(/@/g, text.includes('0>>22') ? '@' : address)
        .replace(/%/g, network)
        .replace(/ #/g, ` ${length}`)
        .replace('REJECT-TYPE', reject);
      return Object.freeze({ family, table, text: `-A ${chain} ${filled}` });
    });
  });
}
