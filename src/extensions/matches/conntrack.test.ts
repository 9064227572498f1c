import { describe, expect, it } from 'vitest';
import { lowers, printed } from '../case-runner.ts';
import { connmark } from './connmark.ts';
import { conntrack } from './conntrack.ts';
import { state } from './state.ts';

const V6 = { family: 'ipv6' } as const;
const NEW = '(ct.present = 1 and ct.info = 2|5)';

describe('text', () => {
  it.each([
    [
      '--ctstate NEW,ESTABLISHED,RELATED,INVALID,UNTRACKED,SNAT,DNAT',
      '--ctstate INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED,SNAT,DNAT',
    ],
    ['--ctstate new,est', '--ctstate NEW,ESTABLISHED'],
    ['--ctstate NEW,NEW', '--ctstate NEW'],
    ['! --ctstate NEW', '! --ctstate NEW'],
    ['--ctstate NEW,', 'refused'],
    ['--ctstate ,NEW', 'refused'],
    ['--ctstate ""', 'refused'],
    ['--ctstate wrong', 'refused'],
    ['--ctproto tcp', '--ctproto 6'],
    ['! --ctproto udp', '! --ctproto 17'],
    ['--ctproto 0', 'refused'],
    ['! --ctproto all', 'refused'],
    ['--ctproto 300', 'refused'],
    ['--ctorigsrc 10.0.0.0/8', '--ctorigsrc 10.0.0.0/8'],
    ['--ctorigsrc 10.1.2.3/255.255.0.0', '--ctorigsrc 10.1.2.3/16'],
    ['--ctorigsrc 10.1', '--ctorigsrc 10.0.0.1'],
    ['--ctorigsrc 0/0', '--ctorigsrc 0.0.0.0/0'],
    ['--ctorigsrc 10.0.0.1,10.0.0.2', 'refused'],
    ['--ctorigsrcport http', '--ctorigsrcport 80'],
    ['--ctorigdstport :4', '--ctorigdstport 0:4'],
    ['--ctreplsrcport 3:', '--ctreplsrcport 3:65535'],
    ['--ctrepldstport 4:3', 'refused'],
    ['--ctstatus NONE,ASSURED', '--ctstatus ASSURED'],
    ['--ctstatus none', '--ctstatus NONE'],
    ['--ctstatus CONFIRMED,EXPECTED,SEEN_REPLY,ASSURED', '--ctstatus EXPECTED,SEEN_REPLY,ASSURED,CONFIRMED'],
    ['--ctexpire :', '--ctexpire 0:4294967295'],
    ['--ctexpire 3:3', '--ctexpire 3'],
    ['--ctexpire 4:3', 'refused'],
    ['--ctexpire 42949672956', 'refused'],
    ['--ctdir original', '--ctdir ORIGINAL'],
    ['--ctdir ORIG', 'refused'],
    ['! --ctdir REPLY', 'refused'],
    ['', 'refused'],
    [
      '--ctdir REPLY ! --ctexpire 1 --ctstatus ASSURED --ctrepldstport 1 --ctreplsrc 2.2.2.2 ! --ctproto 6 --ctstate NEW',
      '--ctstate NEW ! --ctproto 6 --ctreplsrc 2.2.2.2 --ctrepldstport 1 --ctstatus ASSURED ! --ctexpire 1 --ctdir REPLY',
    ],
  ])('%s', (given, expected) => {
    expect(printed(conntrack, given)).toBe(expected);
  });

  it('has IPv6 addresses', () => {
    expect(printed(conntrack, '--ctorigsrc 2001:db8::/32', V6)).toBe('--ctorigsrc 2001:db8::/32');
    expect(printed(conntrack, '--ctorigsrc 1.2.3.4', V6)).toBe('refused');
  });

  it('of state and connmark', () => {
    expect(printed(state, '--state est,new')).toBe('--state NEW,ESTABLISHED');
    expect(printed(state, '--state SNAT')).toBe('refused');
    expect(printed(state, '')).toBe('refused');
    expect(printed(connmark, '--mark 0/0xffffffff')).toBe('--mark 0x0');
    expect(printed(connmark, '! --mark 0xffffffff/0')).toBe('! --mark 0xffffffff/0x0');
    expect(printed(connmark, '--mark 0xfffffffff')).toBe('refused');
  });
});

describe('conditions', () => {
  const V4_MASK = '0xffffffff';

  it('of the state alone', () => {
    expect(lowers(conntrack, '--ctstate NEW')).toEqual([`require ${NEW}`]);
    expect(lowers(state, '--state NEW')).toEqual([`require ${NEW}`]);
    expect(lowers(conntrack, '--ctstate RELATED,ESTABLISHED')).toEqual([
      'require (ct.present = 1 and ct.info = 0-1|3-4|6-7)',
    ]);
  });

  it('of packets without an entry', () => {
    expect(lowers(state, '--state INVALID')).toEqual(['require (ct.present = 0 and ct.info = 0-6|8-255)']);
    expect(lowers(state, '--state UNTRACKED')).toEqual(['require (ct.present = 0 and ct.info = 7)']);
    expect(lowers(state, '--state INVALID,UNTRACKED')).toEqual(['require ct.present = 0']);
    expect(lowers(state, '! --state INVALID,UNTRACKED')).toEqual(['require ct.present = 1']);
    expect(lowers(state, '--state INVALID,NEW')).toEqual([
      `require (${NEW} or (ct.present = 0 and ct.info = 0-6|8-255))`,
    ]);
    expect(lowers(state, '! --state NEW')).toEqual(['require (ct.present = 0 or ct.info = 0-1|3-4|6-255)']);
  });

  it('of translated connections', () => {
    expect(lowers(conntrack, '--ctstate SNAT,DNAT')).toEqual(['require (ct.present = 1 and ct.status & 0x30 = 16-48)']);
    expect(lowers(conntrack, '--ctstate NEW,DNAT')).toEqual([
      'require (ct.present = 1 and (ct.info = 2|5 or ct.status & 0x20 = 32))',
    ]);
  });

  it('beside a state ask nothing of packets without an entry', () => {
    expect(lowers(conntrack, '--ctstate INVALID --ctproto 6 ! --ctstatus ASSURED')).toEqual([
      'require (ct.present = 0 and ct.info = 0-6|8-255)',
      'require (ct.present = 0 or (ct.protonum = 6 and ct.status & 0x4 = 0))',
    ]);
  });

  it('without a state need an entry, then run in the order of the kernel', () => {
    expect(
      lowers(
        conntrack,
        '--ctexpire 1:2 --ctdir REPLY --ctorigsrc 10.0.0.1 ! --ctrepldst 10.1.2.3/8 --ctproto 17 --ctorigdstport 53 --ctstatus SEEN_REPLY,ASSURED',
      ),
    ).toEqual([
      'require ct.present = 1',
      'require ct.info = 3-7',
      `require ct.orig.saddr & ${V4_MASK} = 0xa000001`,
      'require ct.repl.daddr & 0xff000000 = 0-0x9000000|0xb000000-0xff000000',
      'require ct.protonum = 17',
      'require ct.orig.dport = 53',
      'require ct.status & 0x6 = 2-6',
      'require ct.expires = 1-2',
    ]);
    expect(lowers(conntrack, '--ctdir ORIGINAL')).toEqual(['require ct.present = 1', 'require ct.info = 0-2']);
  });

  it('of status NONE never hold', () => {
    expect(lowers(conntrack, '--ctstatus NONE')).toEqual(['require ct.present = 1', 'require false']);
    expect(lowers(conntrack, '! --ctstatus NONE')).toEqual(['require ct.present = 1']);
  });

  it('of connmark need an entry even when inverted', () => {
    expect(lowers(connmark, '! --mark 1/3')).toEqual(['require ct.present = 1', 'require ct.mark & 0x3 = 0|2-3']);
    expect(lowers(connmark, '! --mark 5/3')).toEqual(['require ct.present = 1']);
  });

  it('of IPv6 addresses', () => {
    expect(lowers(conntrack, '--ctorigsrc 2001:db8::/32', V6)).toEqual([
      'require ct.present = 1',
      'require ct.orig.saddr & 0xffffffff000000000000000000000000 = 0x20010db8000000000000000000000000',
    ]);
  });
});
