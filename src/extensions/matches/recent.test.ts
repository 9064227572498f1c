import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { recent } from './recent.ts';

describe('recent', () => {
  it.each<PrintCase>([
    ['--set', '--set --name DEFAULT --mask 255.255.255.255 --rsource'],
    ['! --set --name x --rdest', '! --set --name x --mask 255.255.255.255 --rdest'],
    ['--set --rsource --rdest', '--set --name DEFAULT --mask 255.255.255.255 --rdest'],
    [
      '--update --seconds 60 --hitcount 4 --rttl --name SSH --rsource',
      '--update --seconds 60 --hitcount 4 --rttl --name SSH --mask 255.255.255.255 --rsource',
    ],
    ['--rcheck --seconds 60 --reap --name S', '--rcheck --seconds 60 --reap --name S --mask 255.255.255.255 --rsource'],
    ['--rcheck --reap --name S', 'refused'],
    ['--remove --name S --mask 255.255.0.0', '--remove --name S --mask 255.255.0.0 --rsource'],
    ['--remove --seconds 3', 'refused'],
    ['--remove --hitcount 3', 'refused'],
    ['--set --seconds 3', 'refused'],
    ['--set --hitcount 3', 'refused'],
    ['--set --reap', 'refused'],
    ['--set --rttl', 'refused'],
    ['--remove --rttl', 'refused'],
    ['--remove --reap', 'refused'],
    ['--rcheck --reap --hitcount 2', 'refused'],
    ['--rcheck --update', 'refused'],
    ['--name x', 'refused'],
    ['', 'refused'],
    ['--rcheck --seconds 0', 'refused'],
    ['--rcheck --seconds 4294967296', 'refused'],
    ['--rcheck --hitcount 0', '--rcheck --name DEFAULT --mask 255.255.255.255 --rsource'],
    ['--rcheck --hitcount 255', '--rcheck --hitcount 255 --name DEFAULT --mask 255.255.255.255 --rsource'],
    ['--rcheck --hitcount 256', '--rcheck --hitcount 256 --name DEFAULT --mask 255.255.255.255 --rsource'],
    ['--rcheck --hitcount 65535', '--rcheck --hitcount 65535 --name DEFAULT --mask 255.255.255.255 --rsource'],
    ['--rcheck --hitcount 65536', 'refused'],
    ['--set --name ""', 'refused'],
    ['--set --name a/b', 'refused'],
    ['--set --mask 24', '--set --name DEFAULT --mask 0.0.0.24 --rsource'],
    ['--set --mask 1.2.3', '--set --name DEFAULT --mask 1.2.0.3 --rsource'],
    ['--set --mask 0.0.0.0', '--set --name DEFAULT --mask 0.0.0.0 --rsource'],
    [
      '--set --name 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789',
      '--set --name 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678 --mask 255.255.255.255 --rsource',
    ],
    ['--set --name v6', '--set --name v6 --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource', { family: 'ipv6' }],
    [
      '! --rcheck --name v6 --mask ffff:ffff::',
      '! --rcheck --name v6 --mask ffff:ffff:: --rsource',
      { family: 'ipv6' },
    ],
    ['--set --mask 64', 'refused', { family: 'ipv6' }],
    ['--rcheck --seconds 60 ! --hitcount 4', 'refused'],
    ['--rcheck --seconds 60 --seconds 50', 'refused'],
    [
      '--set --name aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      '--set --name aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa --mask 255.255.255.255 --rsource',
    ],
    [
      '--rcheck --seconds 60 --reap --hitcount 4 --rttl --name S',
      '--rcheck --seconds 60 --reap --hitcount 4 --rttl --name S --mask 255.255.255.255 --rsource',
    ],
    ['--set --name "a b"', '--set --name "a b" --mask 255.255.255.255 --rsource'],
    ['--rcheck --seconds 4294967295', '--rcheck --seconds 4294967295 --name DEFAULT --mask 255.255.255.255 --rsource'],
    ['--set --rdest --rsource', '--set --name DEFAULT --mask 255.255.255.255 --rsource'],
  ])('%s', (text, expected, context) => {
    expect(printed(recent, text, context)).toBe(expected === '=' ? text : expected);
  });

  it('lowers to a question for a list', () => {
    expect(lowers(recent, '--update --seconds 60 --hitcount 4 --rttl --name S --rdest')).toEqual([
      'recent destination {"operation":"update","seconds":60,"hits":4,"reap":false,"ttl":true,"invert":false} ' +
        'list S mask ffffffffffffffffffffffffffffffff hits 4',
    ]);
    expect(lowers(recent, '! --set')).toEqual([
      'recent source {"operation":"set","seconds":0,"hits":0,"reap":false,"ttl":false,"invert":true} ' +
        'list DEFAULT mask ffffffffffffffffffffffffffffffff hits 0',
    ]);
    expect(lowers(recent, '--rcheck --hitcount 5000')).toEqual([
      'cannot: a hit count above 4096 takes too much memory',
    ]);
  });

  it('an IPv4 mask leaves IPv6 addresses of the same list 32 bits', () => {
    const mask = (text: string, family: 'ipv4' | 'ipv6'): string | undefined =>
      /mask (\S+)/.exec(lowers(recent, `--set ${text}`, { family })[0] ?? '')?.[1];
    expect(mask('--mask 255.255.0.0', 'ipv4')).toBe('ffff0000000000000000000000000000');
    expect(mask('--mask 255.255.255.255', 'ipv4')).toBe('ffffffff000000000000000000000000');
    expect(mask('--mask ffff:ff00::', 'ipv6')).toBe('ffffff00000000000000000000000000');
  });
});
