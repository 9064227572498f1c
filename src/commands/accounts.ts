/** Names of users and groups as this host knows them, for `-m owner --uid-owner NAME`. */

import { readFileSync } from 'node:fs';
import type { AccountLookup } from '../extensions/contract.ts';

/** Reads /etc/passwd and /etc/group when a rule names somebody; a host without them knows nobody. */
export const hostAccounts: AccountLookup = {
  user: (name) => idOf('/etc/passwd', name),
  group: (name) => idOf('/etc/group', name),
};

/** passwd(5) and group(5): name, password, number, ... separated by colons. */
function idOf(path: string, name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const [account, , id] = line.split(':');
    if (account === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return undefined;
}
