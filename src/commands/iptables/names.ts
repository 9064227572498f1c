/** Names of addresses as this host's files know them, for listings without -n. */

import type { NameLookup } from '../../extensions/listing/saved.ts';
import { formatAddress, parseAddress } from '../../packet/address.ts';
import type { Family } from '../../packet/netfilter.ts';
import { readIfThere } from '../accounts.ts';
import type { Host } from '../host.ts';

/** Asks /etc/hosts, then /etc/networks; never the DNS: a listing must not depend on the network that it is about. */
export function hostNames(host: Pick<Host, 'readFile'>): NameLookup {
  const hosts = new Map<string, string>();
  const networks = new Map<string, string>();
  for (const [address, name] of lines(host, '/etc/hosts')) {
    const key = address === undefined ? undefined : normal(address);
    if (key !== undefined && name !== undefined && !hosts.has(key)) hosts.set(key, name);
  }
  for (const [name, address] of lines(host, '/etc/networks')) {
    const key = address === undefined ? undefined : normal(address);
    if (key !== undefined && name !== undefined && !networks.has(key)) networks.set(key, name);
  }
  return {
    address: (text, family) => hosts.get(text) ?? (family === 'ipv4' ? networks.get(text) : undefined),
    user: (id) => accountOf(host, '/etc/passwd', id),
    group: (id) => accountOf(host, '/etc/group', id),
  };
}

function normal(text: string): string | undefined {
  for (const family of ['ipv4', 'ipv6'] as const satisfies readonly Family[]) {
    const address = parseAddress(text, family);
    if (address !== undefined) return formatAddress(address, family);
  }
  return undefined;
}

function lines(host: Pick<Host, 'readFile'>, path: string): readonly (readonly string[])[] {
  return readIfThere(host, path)
    .split('\n')
    .map((line) =>
      line
        .replace(/#.*/, '')
        .split(/\s+/)
        .filter((word) => word !== ''),
    );
}

/** The first account of that number; passwd(5) and group(5) both have it third. */
function accountOf(host: Pick<Host, 'readFile'>, path: string, id: number): string | undefined {
  const line = readIfThere(host, path)
    .split('\n')
    .find((text) => text.split(':')[2] === String(id));
  return line?.split(':')[0];
}
