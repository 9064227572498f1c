import { describe, expect, it } from 'vitest';
import { FirewallError } from '../firewall/failure.ts';
import { SyscallError } from '../kernel/errno.ts';
import { describeFailure } from './failures.ts';

describe('from errors to exit statuses', () => {
  it.each([
    ['something went wrong', new FirewallError('failed', 'broken'), 1],
    ['the kernel lacks something', new FirewallError('unsupported', 'no BTF'), 3],
    ['busy', new FirewallError('denied', 'busy'), 4],
    ['not permitted, by the kernel', new SyscallError('bpf(MAP_CREATE)', 1), 4],
    ['not permitted, by the file system', Object.assign(new Error('EACCES: /run'), { code: 'EACCES', errno: -13 }), 4],
    ['not permitted, deep inside', new Error('outer', { cause: new SyscallError('setns', 1) }), 4],
    ['another system call', new SyscallError('bpf(PROG_LOAD)', 22), 1],
    ['anything else', new TypeError('x is not a function'), 1],
    ['no error at all', 'text', 1],
  ])('%s', (_, error, status) => {
    expect(describeFailure(error).status).toBe(status);
  });

  it('shows causes and hints once', () => {
    const cause = new SyscallError('bpf(LINK_CREATE)', 16, 'priority 0 is taken');
    const { message } = describeFailure(new FirewallError('failed', 'attaching failed', { cause }));
    expect(message.startsWith('attaching failed: ')).toBe(true);
    expect(message.split('priority 0 is taken')).toHaveLength(2);
  });
});
