/** Names of users and groups as this host knows them, for `-m owner --uid-owner NAME`. */

import type { AccountLookup } from '../extensions/contract.ts';
import { type Host, ownHost } from './host.ts';

/** Reads /etc/passwd and /etc/group when a rule names somebody; a host without them knows nobody. */
export function accountsOf(host: Pick<Host, 'readFile'>): AccountLookup {
  return {
    user: (name) => idOf(host, '/etc/passwd', name),
    group: (name) => idOf(host, '/etc/group', name),
  };
}

export const hostAccounts: AccountLookup = accountsOf(ownHost);

/** passwd(5) and group(5): name, password, number, ... separated by colons. */
function idOf(host: Pick<Host, 'readFile'>, path: string, name: string): number | undefined {
  const text = readIfThere(host, path);
  for (const line of text.split('\n')) {
    const [account, , id] = line.split(':');
    if (account === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return undefined;
}

/** The text of a file, empty when the file system refuses it. */
export function readIfThere(host: Pick<Host, 'readFile'>, path: string): string {
  try {
    return host.readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}
