/** Rules of every match that reads bytes of headers, each option from both sides. */

import type { Family } from '../../src/packet/netfilter.ts';

const BOTH: Readonly<Record<string, readonly string[]>> = {
  dscp: ['-m dscp --dscp 0x2e', '-m dscp ! --dscp 0x2e', '-m dscp --dscp 0', '-m dscp --dscp-class cs1'],
  tos: [
    '-m tos --tos 0x10/0x3f',
    '-m tos ! --tos 0x10/0x3f',
    '-m tos --tos 0xff',
    '-m tos --tos 0/0xff',
    '-m tos --tos 0x41/0xc3',
    '-m tos --tos 0x11/0x10',
    '-m tos ! --tos 0x11/0x10',
  ],
  ecn: [
    '-m ecn --ecn-ip-ect 0',
    '-m ecn --ecn-ip-ect 2',
    '-m ecn ! --ecn-ip-ect 3',
    '-p tcp -m ecn --ecn-tcp-ece',
    '-p tcp -m ecn --ecn-tcp-cwr',
    '-p tcp -m ecn ! --ecn-tcp-ece ! --ecn-tcp-cwr ! --ecn-ip-ect 1',
  ],
  esp: [
    '-p esp -m esp',
    '-p esp -m esp --espspi 256:65536',
    '-p esp -m esp ! --espspi 256:65536',
    '-p esp -m esp --espspi 4294967295',
  ],
  ipcomp: [
    '-p ipcomp -m ipcomp --ipcompspi 256:512',
    '-p ipcomp -m ipcomp ! --ipcompspi 256:512',
    '-p ipcomp -m ipcomp --ipcompspi 65535 --compres',
    '-p ipcomp -m ipcomp --ipcompspi 65535:70000',
  ],
  'sctp ports': ['-p sctp -m sctp', '-p sctp -m sctp --sport 1000:40000 ! --dport 22', '-p sctp -m sctp --dport 5001'],
  'sctp any': [
    '-p sctp -m sctp --chunk-types any DATA',
    '-p sctp -m sctp --chunk-types any DATA:Be,ABORT:T,INIT',
    '-p sctp -m sctp --chunk-types any DATA:iu,SHUTDOWN_COMPLETE:t',
    '-p sctp -m sctp --chunk-types any ALL',
    '-p sctp -m sctp --sport 40000 --chunk-types any NONE',
  ],
  'sctp only': [
    '-p sctp -m sctp --chunk-types only DATA,INIT,SACK,I_DATA',
    '-p sctp -m sctp --dport 22 --chunk-types only DATA:B',
    '-p sctp -m sctp --chunk-types only ALL',
    '-p sctp -m sctp --chunk-types only NONE',
  ],
  'sctp all': [
    '-p sctp -m sctp --chunk-types all DATA',
    '-p sctp -m sctp --chunk-types all DATA,INIT',
    '-p sctp -m sctp --chunk-types all DATA:b,ABORT',
    '-p sctp -m sctp --chunk-types all ALL',
    '-p sctp -m sctp --chunk-types all NONE',
  ],
  'dccp types': [
    '-p dccp -m dccp',
    '-p dccp -m dccp --sport 1000 ! --dport 22',
    '-p dccp -m dccp --dccp-types REQUEST,RESET',
    '-p dccp -m dccp ! --dccp-types DATA,ACK,DATAACK',
    '-p dccp -m dccp --dccp-types INVALID',
  ],
  'sctp chunks, inverted': ['-p sctp -m sctp ! --chunk-types any DATA:Be,INIT'],
  'sctp all chunks, inverted': ['-p sctp -m sctp --dport 22 ! --chunk-types all ALL'],
  'sctp only chunks, inverted': ['-p sctp -m sctp ! --chunk-types only DATA,SACK -m length --length 0:80'],
  'dccp option, inverted': ['-p dccp -m dccp --sport 1000 ! --dccp-option 37 -m length --length 0:60'],
  'dccp option': ['-p dccp -m dccp --dport 5001 --dccp-option 37', '-p dccp -m dccp --dccp-option 2'],
  tcpmss: [
    '-p tcp -m tcp --dport 22 -m tcpmss --mss 1460',
    '-p tcp -m tcp --dport 22 -m tcpmss ! --mss 536:1460',
    '-p tcp -m tcpmss --mss 0:65535',
    '-p tcp -m tcpmss ! --mss 1460:1461',
  ],
  u32: [
    '-m u32 --u32 "0>>22&0x3C@0>>24=0:5"',
    // Only of TCP: of other packets it would read what the kernel chooses at random, such as the number of a quoted packet.
    '-m u32 ! --u32 "6&0xff=6&&0>>22&0x3C@12>>26&0x3C@0=0:0xffffffff"',
    '-m u32 --u32 "0>>28=4,6&&4&0xffff=0:0x4000"',
    '-m u32 --u32 "6&0xff=6,132"',
    '-m u32 ! --u32 "40&0xff000000>>24=0:1,5:9"',
    '-m u32 --u32 "0&0x00ff0000<<8>>24=1:200"',
    '-m u32 --u32 "0xfffffffc=0"',
    '-m u32 ! --u32 "0xfffffffe@0=0"',
    '-m u32 --u32 "0&0xffffffff@0xfffffff0=0:0xffffffff"',
    '-m u32 --u32 "36=0:0xffffffff"',
    '-m u32 --u32 "0=5:4,6:3"',
  ],
  length: ['-m length --length 40', '-m length ! --length 40', '-m length --length 40:65535', '-m length --length :60'],
};

const IPV4: Readonly<Record<string, readonly string[]>> = {
  ah: [
    '-p ah -m ah',
    '-p ah -m ah --ahspi 256:65536',
    '-p ah -m ah ! --ahspi 256:65536',
    '-p ah -m ah --ahspi 4294967295',
  ],
};

export const HEADER_RULES: Readonly<Record<Family, Readonly<Record<string, readonly string[]>>>> = {
  ipv4: { ...BOTH, ...IPV4 },
  ipv6: BOTH,
};
