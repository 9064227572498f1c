/** Names of addresses as this host's files know them, for listings without -n. */

import { readFileSync } from 'node:fs';
import type { NameLookup } from '../../extensions/listing/saved.ts';
import { formatAddress, parseAddress } from '../../packet/address.ts';
import type { Family } from '../../packet/netfilter.ts';

/** Asks /etc/hosts, then /etc/networks; never the DNS: a listing must not depend on the network that it is about. */
export function hostNames(): NameLookup {
  const hosts = new Map<string, string>();
  const networks = new Map<string, string>();
  for (const [address, name] of lines('/etc/hosts')) {
    const key = address === undefined ? undefined : normal(address);
    if (key !== undefined && name !== undefined && !hosts.has(key)) hosts.set(key, name);
  }
  for (const [name, address] of lines('/etc/networks')) {
    const key = address === undefined ? undefined : normal(address);
    if (key !== undefined && name !== undefined && !networks.has(key)) networks.set(key, name);
  }
  return {
    address: (text, family) => hosts.get(text) ?? (family === 'ipv4' ? networks.get(text) : undefined),
    user: (id) => accountOf('/etc/passwd', id),
    group: (id) => accountOf('/etc/group', id),
  };
}

function normal(text: string): string | undefined {
  for (const family of ['ipv4', 'ipv6'] as const satisfies readonly Family[]) {
    const address = parseAddress(text, family);
    if (address !== undefined) return formatAddress(address, family);
  }
  return undefined;
}

function lines(path: string): readonly (readonly string[])[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) =>
        line
          .replace(/#.*/, '')
          .split(/\s+/)
          .filter((word) => word !== ''),
      );
  } catch {
    return [];
  }
}

/** The first account of that number; passwd(5) and group(5) both have it third. */
function accountOf(path: string, id: number): string | undefined {
  try {
    const line = readFileSync(path, 'utf8')
      .split('\n')
      .find((text) => text.split(':')[2] === String(id));
    return line?.split(':')[0];
  } catch {
    return undefined;
  }
}
