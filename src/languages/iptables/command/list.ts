/** -L: chains and rules in columns, as iptables-legacy 1.8 prints them. */

import { MATCH_LISTINGS, TARGET_LISTINGS } from '../../../extensions/listing/index.ts';
import { type NameLookup, savedOptions } from '../../../extensions/listing/saved.ts';
import { findMatch, findTarget } from '../../../extensions/registry.ts';
import { formatAddress, maskToPrefix } from '../../../packet/address.ts';
import type { Family, TableName } from '../../../packet/netfilter.ts';
import { protocolName } from '../../../packet/protocols.ts';
import type { Chain, IpPart, MaskedAddress, Rule, Selector, Table } from '../../../rules/model.ts';
import { optionWords } from '../print-rule.ts';
import { shortNumber } from './counters-text.ts';

export interface ListFormat {
  readonly numeric: boolean;
  readonly verbose: boolean;
  readonly exact: boolean;
  readonly lineNumbers: boolean;
  readonly names?: NameLookup | undefined;
}

/** The listing of the named chain or of all; `number`: only that rule, without heads. Undefined: there is no such chain. */
export function listTable(
  table: Table,
  family: Family,
  format: ListFormat,
  only: string | undefined,
  number: number,
): string | undefined {
  const parts: string[] = [];
  const counts = referenceCounts(table);
  for (const chain of table.chains) {
    if (only !== undefined && chain.name !== only) continue;
    let text = number === 0 ? header(chain, counts.get(chain.name) ?? 0, format) : '';
    for (const [at, rule] of chain.rules.entries()) {
      if (number === 0 || number === at + 1) text += `${listedRule(rule, at + 1, family, table.name, format)}\n`;
    }
    parts.push(text);
  }
  return parts.length === 0 ? undefined : parts.join('\n');
}

function referenceCounts(table: Table): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const chain of table.chains) {
    for (const { target } of chain.rules) {
      if (target.kind === 'jump' || target.kind === 'goto')
        counts.set(target.chain, (counts.get(target.chain) ?? 0) + 1);
    }
  }
  return counts;
}

function header(chain: Chain, references: number, { verbose, exact, lineNumbers }: ListFormat): string {
  const { packets, bytes } = chain.counters;
  // Heads print numbers without columns.
  const short = (value: bigint): string => shortNumber(value, exact).trim();
  const counters = verbose ? ` ${short(packets)} packets, ${short(bytes)} bytes` : '';
  const title = chain.policy === undefined ? ` (${references} references)` : ` (policy ${chain.policy}${counters})`;
  const columns =
    (lineNumbers ? 'num  ' : '') +
    (verbose ? (exact ? '    pkts      bytes ' : ' pkts bytes ') : '') +
    'target     prot opt' +
    (verbose ? ' in     out   ' : '') +
    ` ${verbose ? ' ' : ''}source               destination         `;
  return `Chain ${chain.name}${title}\n${columns}\n`;
}

function listedRule(rule: Rule, number: number, family: Family, table: TableName, format: ListFormat): string {
  const { verbose, exact, lineNumbers } = format;
  const { packets, bytes } = rule.counters;
  const line = lineNumbers ? `${String(number).padEnd(4)} ` : '';
  const counters = verbose ? `${shortNumber(packets, exact)} ${shortNumber(bytes, exact)} ` : '';
  const head = `${line}${counters}${targetName(rule).padEnd(9)} `;
  const { ip } = rule;
  return (
    head +
    protocolColumn(ip, format.numeric, 4) +
    `${fragmentColumn(ip, family)} ` +
    (verbose
      ? ` ${interfaceName(ip.inInterface, format.numeric).padEnd(6)} ${interfaceName(ip.outInterface, format.numeric).padEnd(6)} `
      : '') +
    addressColumn(ip.source, family, format) +
    addressColumn(ip.destination, family, format) +
    details(rule, family, table, format)
  );
}

/** One rule as -v prints it beside a change (FMT_PRINT_RULE). */
export function announcedRule(rule: Rule, family: Family, table: TableName): string {
  const { ip } = rule;
  const format: ListFormat = { numeric: true, verbose: true, exact: false, lineNumbers: false };
  return (
    `${targetName(rule)} ${protocolColumn(ip, true, 0)}opt ${fragmentColumn(ip, family)} ` +
    `in ${interfaceName(ip.inInterface, true)} out ${interfaceName(ip.outInterface, true)} ` +
    `${ip.source?.invert === true ? '!' : ' '}${addressText(ip.source, family, format)} ` +
    `${ip.destination?.invert === true ? '!' : ' '}-> ${addressText(ip.destination, family, format)}` +
    `  ${details(rule, family, table, format)}\n`
  );
}

function targetName({ target }: Rule): string {
  switch (target.kind) {
    case 'none':
      return '';
    case 'verdict':
      return target.verdict;
    case 'jump':
    case 'goto':
      return target.chain;
    case 'extension':
      // NOTRACK is another name of CT, which only saves show.
      return target.name === 'NOTRACK' ? 'CT' : target.name;
  }
}

/** The names that libxtables knows without asking the system (xtables_chain_protos). */
const NUMERIC_NAMES: readonly number[] = [1, 6, 17, 33, 50, 51, 58, 132, 135, 136];

function protocolColumn({ protocol }: IpPart, numeric: boolean, width: number): string {
  const number = protocol?.value ?? 0;
  const known = !numeric || NUMERIC_NAMES.includes(number);
  const name = number === 0 ? 'all' : known ? protocolName(number) : undefined;
  // A table with -n has numbers only; a rule that -v announces has the names that need no look-up.
  const short = numeric && width > 0 ? String(number) : (name ?? String(number));
  return `${protocol?.invert === true ? '!' : ' '}${short.padEnd(width)} `;
}

function fragmentColumn({ fragment }: IpPart, family: Family): string {
  if (family === 'ipv6' || fragment === undefined) return '--';
  return fragment.invert ? '!f' : '-f';
}

function interfaceName(name: Selector<string> | undefined, numeric: boolean): string {
  const any = numeric ? '*' : 'any';
  if (name === undefined) return any;
  return `${name.invert ? '!' : ''}${name.value === '' ? any : name.value}`;
}

function addressColumn(selector: Selector<MaskedAddress> | undefined, family: Family, format: ListFormat): string {
  return `${selector?.invert === true ? '!' : ' '}${addressText(selector, family, format).padEnd(19)} `;
}

function addressText(selector: Selector<MaskedAddress> | undefined, family: Family, format: ListFormat): string {
  const { address, mask } = selector?.value ?? { address: 0n, mask: 0n };
  const any = family === 'ipv4' ? mask === 0n : address === 0n;
  if (any && !format.numeric) return 'anywhere';
  const numeric = formatAddress(address, family);
  const name = format.numeric ? undefined : format.names?.address(numeric, family);
  const prefix = maskToPrefix(mask, family);
  if (prefix === (family === 'ipv4' ? 32 : 128)) return name ?? numeric;
  return `${name ?? numeric}/${prefix ?? formatAddress(mask, family)}`;
}

/** What goes to a chain without return, matches, target options. */
function details(rule: Rule, family: Family, table: TableName, format: ListFormat): string {
  const { target } = rule;
  const ctx = { family, table, ip: rule.ip, numeric: format.numeric, names: format.names };
  let text = target.kind === 'goto' ? '[goto] ' : '';
  for (const match of rule.matches) {
    const extension = findMatch(match.name, family);
    if (extension === undefined) continue;
    const words = extension.print?.(match.options, ctx) ?? optionWords(extension, match.options, family);
    const list = extension.list ?? MATCH_LISTINGS[match.name];
    text += list?.(savedOptions(words), ctx) ?? ` ${[match.name, ...words].join(' ')}`;
  }
  if (target.kind !== 'extension') return text;
  const extension = findTarget(target.name, family);
  if (extension === undefined) return text;
  const words = extension.print?.(target.options, ctx) ?? optionWords(extension, target.options, family);
  const list = extension.list ?? TARGET_LISTINGS[target.name];
  return text + (list?.(savedOptions(words), ctx) ?? ` ${[target.name, ...words].join(' ')}`);
}
