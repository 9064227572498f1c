import { describe, expect, it } from 'vitest';
import { lowers, printed } from '../case-runner.ts';
import { udp } from './udp.ts';
import { udplite } from './udplite.ts';

describe.each([udp, udplite])('$name', (match) => {
  it.each([
    ['--sport 1', '--sport 1'],
    ['--dport domain', '--dport 53'],
    ['! --dport : --sport 3:', '--sport 3:65535 ! --dport 0:65535'],
    ['--dport :', ''],
    ['--dport 4:3', 'refused'],
    ['--sport -1', 'refused'],
    ['--syn', 'refused'],
  ])('%s', (given, expected) => {
    expect(printed(match, given)).toBe(expected);
  });

  it('has no hotdrop for fragments', () => {
    expect(lowers(match, '! --dport 53 --sport 1:2')).toEqual([
      'require ip.fragOffset = 0',
      'hotdrop transport.length = 0-7',
      'require transport.sport = 1-2',
      'require transport.dport = 0-52|54-65535',
    ]);
    expect(lowers(match, '', { family: 'ipv6' })).toEqual([
      'require ip6.fragOffset = 0',
      'hotdrop transport.length = 0-7',
    ]);
  });
});
