import { describe, expect, it } from 'vitest';
import { asks, lowers, printed, refusal } from '../case-runner.ts';
import { owner } from './owner.ts';

describe('text', () => {
  it.each([
    ['--uid-owner root', '--uid-owner 0'],
    ['--uid-owner 0-10', '--uid-owner 0-10'],
    ['--uid-owner 0x10', '--uid-owner 16'],
    ['--uid-owner 4294967294', '--uid-owner 4294967294'],
    ['--uid-owner 4294967295', 'refused'],
    ['--uid-owner 10-0', 'refused'],
    ['--uid-owner 5-', 'refused'],
    ['--uid-owner nosuchuser', 'refused'],
    ['! --gid-owner 5-6 ! --uid-owner 3', '! --uid-owner 3 ! --gid-owner 5-6'],
    ['--gid-owner 5 --uid-owner 3 --socket-exists', '--socket-exists --uid-owner 3 --gid-owner 5'],
    ['! --socket-exists', '! --socket-exists'],
    ['--gid-owner 5 --suppl-groups', '--gid-owner 5 --suppl-groups'],
    ['--suppl-groups', 'refused'],
    ['--gid-owner 5 ! --suppl-groups', 'refused'],
    ['', 'refused'],
  ])('%s', (given, expected) => {
    expect(printed(owner, given)).toBe(expected);
  });

  it('wants the supplementary groups after the group', () => {
    const source = { name: 'rules', text: '' };
    const flag = { value: { kind: 'flag' }, invert: false, span: { source, start: 5, end: 6 } } as const;
    const group = { kind: 'range', min: 0n, max: 0n } as const;
    const use = { value: group, invert: false, span: { source, start: 9, end: 10 } };
    const ctx = { family: 'ipv4', table: 'filter', ip: {} } as const;
    expect(owner.check?.({ 'suppl-groups': flag, 'gid-owner': use }, ctx)).toHaveLength(1);
    expect(refusal(owner, '--gid-owner 5 --suppl-groups')).toBe('');
  });
});

describe('conditions', () => {
  it.each([
    ['--socket-exists', 'require socket.state = 1-2'],
    ['! --socket-exists', 'require socket.state = 0'],
    ['--uid-owner 5', 'require (socket.state = 2 and socket.uid = 5)'],
    ['! --uid-owner 5', 'require (socket.state = 0-1 or (socket.state = 2 and socket.uid = 0-4|6-0xffffffff))'],
    [
      '! --uid-owner 5 --gid-owner 3-4',
      'require (socket.state = 2 and socket.uid = 0-4|6-0xffffffff and socket.gid = 3-4)',
    ],
    [
      '--socket-exists ! --uid-owner 5',
      'require (socket.state = 1 or (socket.state = 2 and socket.uid = 0-4|6-0xffffffff))',
    ],
    ['! --socket-exists --uid-owner 5', 'require false'],
    ['! --socket-exists ! --uid-owner 5', 'require socket.state = 0'],
  ])('%s', (given, expected) => {
    expect(lowers(owner, given)).toEqual([expected]);
  });

  it('asks the kernel for supplementary groups', () => {
    expect(asks(owner, '! --uid-owner 1-2 --gid-owner 5 --suppl-groups ! --socket-exists')).toEqual([
      {
        kind: 'extension',
        name: 'owner',
        revision: 1,
        info: [1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 15, 5, 0, 0, 0, 0, 0, 0],
      },
    ]);
  });
});
