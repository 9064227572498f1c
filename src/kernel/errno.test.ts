import { expect, it } from 'vitest';
import { ERRNO, errnoName, isErrno, SyscallError, withHint } from './errno.ts';

it('has every number once', () => {
  const numbers = Object.values(ERRNO).map((entry) => entry.number);
  expect(new Set(numbers).size).toBe(numbers.length);
});

it('names what it knows and shows the number of what it does not', () => {
  expect(errnoName(16)).toBe('EBUSY');
  expect(errnoName(4000)).toBe('errno 4000');
});

it('says what was asked, what came back and what helps', () => {
  const error = new SyscallError('bpf(LINK_CREATE)', 16, 'try another priority');
  expect(error.message).toBe('bpf(LINK_CREATE): busy (EBUSY); try another priority');
  expect(error).toMatchObject({ command: 'bpf(LINK_CREATE)', errno: 16, errnoName: 'EBUSY' });
  expect(isErrno(error, 'ENOENT', 'EBUSY')).toBe(true);
  expect(isErrno(new Error('EBUSY'), 'EBUSY')).toBe(false);
  expect(withHint(error, 'or wait').hint).toBe('try another priority; or wait');
});
