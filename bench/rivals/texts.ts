/** The rules of a workload in the languages of the contenders. Everything filters in prerouting at priority raw. */
import type { Family } from '../../src/packet/netfilter.ts';
import { type Filter, maskOf } from '../classify-sets.ts';

export function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/**
 * The same address and prefix in IPv6: 2001:db8::/32, the upper half, the third byte, and a host number in the last word; see
 * classify-sets.ts, whose IPv6 rows are the same.
 */
export function address6(address: number): string {
  const [high, low] = [address >>> 16, address & 0xffff];
  return `2001:db8:${high.toString(16)}:0:${low.toString(16)}:0:0:${(address & 0xff).toString(16)}`;
}

function prefixText(address: number, length: number, family: Family): string {
  if (family === 'ipv4') return `${dotted(address)}/${length}`;
  return `${address6(address)}/${length === 32 ? 128 : length > 16 ? 64 + length - 16 : 32 + length}`;
}

const NAMES: Readonly<Record<number, 'tcp' | 'udp'>> = { 6: 'tcp', 17: 'udp' };
const ANY_PORT = 65535;

function isAny([low, high]: readonly [number, number]): boolean {
  return low === 0 && high === ANY_PORT;
}

function span([low, high]: readonly [number, number], between: string): string {
  return low === high ? `${low}` : `${low}${between}${high}`;
}

/** The match words of iptables. */
function iptablesWords(filter: Filter, family: Family): string {
  const { src, srcLength, dst, dstLength, sport, dport, protocol } = filter;
  const words: string[] = [];
  if (srcLength > 0) words.push(`-s ${prefixText(src, srcLength, family)}`);
  if (dstLength > 0) words.push(`-d ${prefixText(dst, dstLength, family)}`);
  if (protocol !== undefined) words.push(`-p ${protocol === 0 ? 'hopopt' : protocol}`);
  const name = protocol === undefined ? undefined : NAMES[protocol];
  if (name !== undefined && !(isAny(sport) && isAny(dport))) {
    words.push(`-m ${name}`);
    if (!isAny(sport)) words.push(`--sport ${span(sport, ':')}`);
    if (!isAny(dport)) words.push(`--dport ${span(dport, ':')}`);
  }
  return words.join(' ');
}

/** iptables-restore text of table raw: each filter a DROP, then the policy, DROP too. */
export function iptablesText(filters: readonly Filter[], family: Family): string {
  const rules = filters.map((filter) => `-A PREROUTING ${iptablesWords(filter, family)} -j DROP\n`);
  return `*raw\n:PREROUTING DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.join('')}COMMIT\n`;
}

const NFT_CHAIN = 'chain c { type filter hook prerouting priority raw; policy drop;';

/** nft: a rule for each filter, each counting as iptables does. */
export function nftLinearText(filters: readonly Filter[], family: Family): string {
  const rules = filters.map((filter) => `${nftWords(filter, family)} counter drop`);
  return `table ${nftFamily(family)} bench { ${NFT_CHAIN}\n${rules.join('\n')}\ncounter\n}\n}\n`;
}

/** nft's name of a family. */
export function nftFamily(family: Family): 'ip' | 'ip6' {
  return family === 'ipv4' ? 'ip' : 'ip6';
}

function nftWords(filter: Filter, family: Family): string {
  const { src, srcLength, dst, dstLength, sport, dport, protocol } = filter;
  const words: string[] = [];
  const ip = nftFamily(family);
  if (srcLength > 0) words.push(`${ip} saddr ${prefixText(src, srcLength, family)}`);
  if (dstLength > 0) words.push(`${ip} daddr ${prefixText(dst, dstLength, family)}`);
  const name = protocol === undefined ? undefined : NAMES[protocol];
  if (name !== undefined && !(isAny(sport) && isAny(dport))) {
    if (!isAny(sport)) words.push(`${name} sport ${span(sport, '-')}`);
    if (!isAny(dport)) words.push(`${name} dport ${span(dport, '-')}`);
  } else if (protocol !== undefined) {
    words.push(family === 'ipv4' ? `ip protocol ${protocol}` : `meta l4proto ${protocol}`);
  }
  return words.join(' ');
}

/** nft as an expert writes it: a set of the fields that the rules use, and one rule that asks it. One counter, not one for each rule. */
export function nftSetText(filters: readonly Filter[]): string {
  if (filters.every(isSource)) {
    const elements = filters.map(({ src }) => dotted(src)).join(',');
    return `table ip bench { set s { type ipv4_addr; elements = { ${elements} } }\n${NFT_CHAIN} ip saddr @s counter drop\ncounter\n}\n}\n`;
  }
  const exact = filters.every(isExact);
  // Elements of one interval set must not overlap: as many sets as that takes, asked one after the other.
  const groups = exact ? [filters] : apart(filters);
  const type = 'type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service;';
  const sets = groups.map(
    (group, n) =>
      `set s${n} { ${type}${exact ? '' : ' flags interval;'} elements = { ${group.map((f) => element(f, exact)).join(',')} } }`,
  );
  const rules = groups.map((_, n) => `ip saddr . ip daddr . ip protocol . th sport . th dport @s${n} counter drop`);
  return `table ip bench { ${sets.join('\n')}\n${NFT_CHAIN}\n${rules.join('\n')}\ncounter\n}\n}\n`;
}

function isSource(f: Filter): boolean {
  return f.srcLength === 32 && f.dstLength === 0 && f.protocol === undefined;
}

function isExact(f: Filter): boolean {
  return f.srcLength === 32 && f.dstLength === 32 && f.sport[0] === f.sport[1] && f.dport[0] === f.dport[1];
}

function element(f: Filter, exact: boolean): string {
  const protocol = f.protocol === undefined ? '0-255' : `${f.protocol}`;
  if (exact) return `${dotted(f.src)} . ${dotted(f.dst)} . ${protocol} . ${f.sport[0]} . ${f.dport[0]}`;
  const prefix = (address: number, length: number): string =>
    length === 0 ? '0.0.0.0-255.255.255.255' : length === 32 ? dotted(address) : `${dotted(address)}/${length}`;
  return [
    prefix(f.src, f.srcLength),
    prefix(f.dst, f.dstLength),
    protocol,
    span(f.sport, '-'),
    span(f.dport, '-'),
  ].join(' . ');
}

function overlap(a: Filter, b: Filter): boolean {
  const prefixes = (x: number, n: number, y: number, m: number): boolean => ((x ^ y) & maskOf(Math.min(n, m))) === 0;
  return (
    prefixes(a.src, a.srcLength, b.src, b.srcLength) &&
    prefixes(a.dst, a.dstLength, b.dst, b.dstLength) &&
    (a.protocol === undefined || b.protocol === undefined || a.protocol === b.protocol) &&
    a.sport[0] <= b.sport[1] &&
    b.sport[0] <= a.sport[1] &&
    a.dport[0] <= b.dport[1] &&
    b.dport[0] <= a.dport[1]
  );
}

/** Groups in which no two filters overlap; a filter goes to the first group that takes it. */
export function apart(filters: readonly Filter[]): readonly (readonly Filter[])[] {
  const groups: Filter[][] = [];
  for (const filter of filters) {
    const group = groups.find((others) => !others.some((other) => overlap(other, filter)));
    if (group === undefined) groups.push([filter]);
    else group.push(filter);
  }
  return groups;
}

/** ipset and one iptables rule that asks it; undefined for shapes that ipset has no type for. */
export function ipsetTexts(filters: readonly Filter[]): { readonly sets: string; readonly rules: string } | undefined {
  if (!filters.every(isSource)) return undefined;
  const size = Math.max(65536, filters.length * 2);
  const adds = filters.map(({ src }) => `add bench ${dotted(src)}\n`).join('');
  return {
    sets: `create bench hash:ip maxelem ${size}\n${adds}`,
    rules:
      '*raw\n:PREROUTING DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -m set --match-set bench src -j DROP\nCOMMIT\n',
  };
}
