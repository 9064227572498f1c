/** One rule as iptables-save writes it, without counters and chain. */

import type { MatchExtension, OptionMap, RuleContext, TargetExtension } from '../../extensions/contract.ts';
import { findMatch, findTarget } from '../../extensions/registry.ts';
import { formatAddress, formatMask } from '../../packet/address.ts';
import type { Family, TableName } from '../../packet/netfilter.ts';
import { protocolName } from '../../packet/protocols.ts';
import type { IpPart, MaskedAddress, Rule, Selector } from '../../rules/model.ts';

/**
 * The words of a rule, each with a blank before it: ` -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT`. The order is
 * that of iptables-save, whatever the order in which they were given.
 */
export function ruleWords(rule: Rule, family: Family, table: TableName): string {
  const ctx: RuleContext = { family, table, ip: rule.ip };
  let line = ipWords(rule.ip, family);
  for (const match of rule.matches) {
    line += ` -m ${match.name}${extensionWords(findMatch(match.name, family), match.options, ctx)}`;
  }
  const { target } = rule;
  switch (target.kind) {
    case 'none':
      return line;
    case 'verdict':
      return `${line} -j ${target.verdict}`;
    case 'jump':
      return `${line} -j ${target.chain}`;
    case 'goto':
      return `${line} -g ${target.chain}`;
    case 'extension':
      return `${line} -j ${target.name}${extensionWords(findTarget(target.name, family), target.options, ctx)}`;
  }
}

function ipWords(ip: IpPart, family: Family): string {
  let line = '';
  if (ip.source !== undefined) line += ` ${addressWords('-s', ip.source, family)}`;
  if (ip.destination !== undefined) line += ` ${addressWords('-d', ip.destination, family)}`;
  if (ip.inInterface !== undefined) line += interfaceWords('-i', ip.inInterface);
  if (ip.outInterface !== undefined) line += interfaceWords('-o', ip.outInterface);
  if (ip.protocol !== undefined && ip.protocol.value !== 0) {
    line += `${ip.protocol.invert ? ' !' : ''} -p ${protocolName(ip.protocol.value) ?? ip.protocol.value}`;
  }
  if (ip.fragment !== undefined) line += ip.fragment.invert ? ' ! -f' : ' -f';
  return line;
}

function addressWords(option: string, { value, invert }: Selector<MaskedAddress>, family: Family): string {
  return `${invert ? '! ' : ''}${option} ${formatAddress(value.address, family)}/${formatMask(value.mask, family)}`;
}

/** `-i +` asks nothing and is not printed; `! -i +` is. */
function interfaceWords(option: string, { value, invert }: Selector<string>): string {
  if (value === '+' && !invert) return '';
  return `${invert ? ' !' : ''} ${option} ${value}`;
}

function extensionWords(
  extension: MatchExtension | TargetExtension | undefined,
  options: OptionMap,
  ctx: RuleContext,
): string {
  if (extension === undefined) return '';
  const words = extension.print?.(options, ctx) ?? optionWords(extension, options, ctx.family);
  return words.length === 0 ? '' : ` ${words.join(' ')}`;
}

/** Every option of `options`, in the order of the extension's table. */
export function optionWords(
  extension: Pick<MatchExtension | TargetExtension, 'options'>,
  options: OptionMap,
  family: Family,
): readonly string[] {
  const words: string[] = [];
  for (const spec of extension.options) {
    const use = options[spec.name];
    if (use === undefined) continue;
    if (use.invert) words.push('!');
    words.push(`--${spec.name}`, ...spec.value.print(use.value, { family }));
  }
  return words;
}
