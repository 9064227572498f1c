import { describe, expect, it } from 'vitest';
import { lowers, printed } from '../case-runner.ts';
import { tcp } from './tcp.ts';

const TCP = { protocol: 6 } as const;
const SYN = '--tcp-flags FIN,SYN,RST,ACK SYN';

describe('text', () => {
  it.each([
    ['', ''],
    ['--sport 1', '--sport 1'],
    ['--source-port 1', '--sport 1'],
    ['--destination-port ssh:http', '--dport 22:80'],
    ['--dport 0x16', '--dport 22'],
    ['--dport 022', '--dport 18'],
    ['--sport 1024:', '--sport 1024:65535'],
    ['--sport :', ''],
    ['! --sport :', '! --sport 0:65535'],
    ['--dport :4', '--dport 0:4'],
    ['--dport 4:4', '--dport 4'],
    ['--dport 4:3', 'refused'],
    ['--dport 65536', 'refused'],
    ['--dport -1', 'refused'],
    ['--dport 1:2:3', 'refused'],
    ['--dport 1-2', 'refused'],
    ['--dport ""', 'refused'],
    ['--dport 1 --dport 2', 'refused'],
    ['--syn', SYN],
    ['! --syn', `! ${SYN}`],
    ['--tcp-flags ALL NONE', '--tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE'],
    ['--tcp-flags syn,ack syn', '--tcp-flags SYN,ACK SYN'],
    ['--tcp-flags SYN,SYN SYN', '--tcp-flags SYN SYN'],
    ['--tcp-flags NONE NONE', ''],
    ['! --tcp-flags NONE NONE', '! --tcp-flags NONE NONE'],
    ['! --tcp-flags NONE SYN', '! --tcp-flags NONE SYN'],
    ['--tcp-flags ECE SYN', 'refused'],
    ['--tcp-flags 63 2', 'refused'],
    ['--tcp-flags SYN', 'refused'],
    ['--syn --tcp-flags ACK ACK', 'refused'],
    ['--tcp-option 0', 'refused'],
    ['--tcp-option 256', 'refused'],
    ['--tcp-option 2 --syn --dport 1 --sport 2', `--sport 2 --dport 1 --tcp-option 2 ${SYN}`],
  ])('%s', (given, expected) => {
    expect(printed(tcp, given, TCP)).toBe(expected);
  });
});

describe('conditions', () => {
  const HEADER = ['hotdrop ip.fragOffset = 1', 'require ip.fragOffset = 0', 'hotdrop transport.length = 0-19'];

  it('begin with fragments and short headers', () => {
    expect(lowers(tcp, '', TCP)).toEqual(HEADER);
    expect(lowers(tcp, '', { ...TCP, family: 'ipv6' })).toEqual([
      'require ip6.fragOffset = 0',
      'hotdrop transport.length = 0-19',
    ]);
  });

  it('go on with source, destination, flags', () => {
    expect(lowers(tcp, '--dport 22 ! --sport 1:3 --syn', TCP)).toEqual([
      ...HEADER,
      'require transport.sport = 0|4-65535',
      'require transport.dport = 22',
      'require tcp.flags & 0x17 = 2',
    ]);
    expect(lowers(tcp, '! --syn', TCP).at(-1)).toBe('require tcp.flags & 0x17 = 0-1|3-23');
  });

  it('that can never hold stay, those that always hold go', () => {
    expect(lowers(tcp, '! --sport :', TCP)).toEqual([...HEADER, 'require false']);
    expect(lowers(tcp, '--tcp-flags NONE SYN', TCP)).toEqual([...HEADER, 'require false']);
    expect(lowers(tcp, '! --tcp-flags NONE SYN', TCP)).toEqual(HEADER);
  });

  it('look at the header length only for an option', () => {
    expect(lowers(tcp, '! --tcp-option 3', TCP)).toEqual([
      ...HEADER,
      'hotdrop tcp.headerLength = 0-19',
      'hotdrop not tcp options readable',
      'require not tcp option 3',
    ]);
  });
});
