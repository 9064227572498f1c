import { expect, it } from 'vitest';
import { hostAccounts } from './accounts.ts';

it('knows root, and nobody who is not in the files', () => {
  expect(hostAccounts.user('root')).toBe(0);
  expect(hostAccounts.group('root')).toBe(0);
  expect(hostAccounts.user('no such user')).toBeUndefined();
});
