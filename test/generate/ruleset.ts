/** Random rule sets, as the text that iptables-restore reads. */

import fc from 'fast-check';
import { parseAddress } from '../../src/packet/address.ts';
import { type Family, type Hook, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { REJECT_WITH } from '../../src/policy/ir.ts';
import { effectText } from './effects.ts';
import { generatorOf, MATCH_NAMES, type MatchName, matchText, type RuleSite } from './matches.ts';
import { UNIVERSE, type Universe } from './universe.ts';

export interface RulesetShape {
  /** Default: filter, raw and security, one to three of them. */
  readonly tables?: readonly TableName[];
  /** Addresses, devices and ports that rules mention. */
  readonly universe?: Universe;
  /** Default: all of MATCH_NAMES. */
  readonly matches?: readonly MatchName[];
  /** Default: reject and log, which stands for LOG and NFLOG. `effect`: what the kernel carries out (effects.ts). */
  readonly targets?: readonly ('reject' | 'log' | 'effect')[];
  /**
   * Which tests with memory may occur: none; limit and statistic nth, which depend on earlier packets and on time; or
   * also statistic random. Default: deterministic.
   */
  readonly memory?: 'none' | 'deterministic' | 'random';
  readonly maxUserChains?: number;
  readonly maxRules?: number;
  /** Write `[packets:bytes]` before rules and after policies. */
  readonly counters?: boolean;
}

/**
 * A rule set of one family that iptables-restore accepts: user chains that jump and go to each other without circles
 * (with diamonds, returns at every depth, chains nobody reaches), policies, counters, every supported match and target.
 */
export function randomRulesetText(family: Family, shape: RulesetShape = {}): fc.Arbitrary<string> {
  const tables = shape.tables ?? (['filter', 'raw', 'security'] as const);
  return fc
    .subarray([...tables], { minLength: 1 })
    .chain((names) => fc.tuple(...names.map((name) => tableText(name, family, shape))))
    .map((texts) => texts.join(''));
}

interface TableSite {
  readonly table: TableName;
  readonly family: Family;
  readonly shape: RulesetShape;
  readonly universe: Universe;
}

function tableText(table: TableName, family: Family, shape: RulesetShape): fc.Arbitrary<string> {
  const site: TableSite = { table, family, shape, universe: shape.universe ?? UNIVERSE[family] };
  const hooks = TABLE_HOOKS[table].hooks;
  return fc
    .tuple(
      fc.integer({ min: 0, max: shape.maxUserChains ?? 4 }),
      fc.tuple(...hooks.map(() => fc.tuple(fc.constantFrom('ACCEPT', 'ACCEPT', 'DROP'), counters(shape)))),
    )
    .chain(([userChains, policies]) => {
      const users = Array.from({ length: userChains }, (_, at) => `chain-${at}`);
      const chains: { name: string; hook: Hook | undefined; below: string[] }[] = [
        ...hooks.map((hook) => ({ name: hook, hook, below: users })),
        // Only downwards, so that there is no circle.
        ...users.map((name, at) => ({ name, hook: undefined, below: users.slice(at + 1) })),
      ];
      const rules = chains.map((chain) =>
        fc.array(ruleText(site, chain), { maxLength: shape.maxRules ?? 6 }).map((lines) => lines.join('')),
      );
      const heads = [
        ...hooks.map((hook, at) => `:${hook} ${policies[at]![0]} ${policies[at]![1] || '[0:0] '}`.trimEnd()),
        ...users.map((name) => `:${name} - [0:0]`),
      ];
      return fc.tuple(...rules).map((lines) => `*${table}\n${heads.join('\n')}\n${lines.join('')}COMMIT\n`);
    });
}

function counters(shape: RulesetShape): fc.Arbitrary<string> {
  if (shape.counters !== true) return fc.constant('');
  return fc.tuple(fc.nat(), fc.nat()).map(([packets, bytes]) => `[${packets}:${bytes}] `);
}

const PROTOCOLS: Record<Family, readonly string[]> = {
  ipv4: ['tcp', 'tcp', 'tcp', 'udp', 'udp', 'icmp', 'icmp', 'udplite', 'sctp', 'dccp', 'esp', 'ah', 'all', '4', '255'],
  ipv6: [
    'tcp',
    'tcp',
    'tcp',
    'udp',
    'udp',
    'ipv6-icmp',
    'ipv6-icmp',
    'udplite',
    'sctp',
    'esp',
    'all',
    '0',
    '44',
    '59',
    '135',
  ],
};

function ruleText(
  site: TableSite,
  chain: { readonly name: string; readonly hook: Hook | undefined; readonly below: readonly string[] },
): fc.Arbitrary<string> {
  return protocolPart(site.family).chain(({ text: protocolText, name: protocol }) => {
    const ruleSite: RuleSite = { universe: site.universe, protocol, hook: chain.hook };
    return fc
      .tuple(
        counters(site.shape),
        ipText(site, chain.hook),
        matchTexts(site.shape, ruleSite),
        targetText(site, chain.hook, protocol, chain.below),
      )
      .map(([count, ip, matches, target]) =>
        [`${count}-A ${chain.name}`, ip, protocolText, ...matches, target].filter((word) => word !== '').join(' '),
      )
      .map((line) => `${line}\n`);
  });
}

/** `name` is the protocol that matches may rely on. */
function protocolPart(family: Family): fc.Arbitrary<{ text: string; name: string | undefined }> {
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant({ text: '', name: undefined }) },
    { weight: 5, arbitrary: fc.constantFrom(...PROTOCOLS[family]).map((name) => ({ text: `-p ${name}`, name })) },
    {
      weight: 1,
      arbitrary: fc
        // "not all" is refused.
        .constantFrom(...PROTOCOLS[family].filter((name) => name !== 'all' && name !== '0'))
        .map((name) => ({ text: `! -p ${name}`, name: undefined })),
    },
  );
}

function ipText(site: TableSite, hook: Hook | undefined): fc.Arbitrary<string> {
  const input = hook === undefined || hook === 'PREROUTING' || hook === 'INPUT' || hook === 'FORWARD';
  const output = hook === undefined || hook === 'POSTROUTING' || hook === 'OUTPUT' || hook === 'FORWARD';
  const part = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.oneof(
      { weight: 4, arbitrary: fc.constant('') },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.constantFrom('', '', '! '), value).map(([bang, text]) => `${bang}${name} ${text}`),
      },
    );
  const nothing = fc.constant('');
  return fc
    .tuple(
      part('-s', maskedAddress(site)),
      part('-d', maskedAddress(site)),
      input ? part('-i', device(site)) : nothing,
      output ? part('-o', device(site)) : nothing,
      site.family === 'ipv4'
        ? fc.oneof({ weight: 9, arbitrary: nothing }, { weight: 1, arbitrary: fc.constantFrom('-f', '! -f') })
        : nothing,
    )
    .map((parts) => parts.filter((text) => text !== '').join(' '));
}

function maskedAddress({ universe, family }: TableSite): fc.Arbitrary<string> {
  const bits = family === 'ipv4' ? 32 : 128;
  const mask = fc.oneof(
    fc.constant(''),
    fc.integer({ min: 0, max: bits }).map((prefix) => `/${prefix}`),
    // Holes in the mask; both families' last address has many ones.
    fc.constantFrom(
      ...(family === 'ipv4' ? ['/255.0.255.0', '/0.0.0.255', '/128.0.0.1'] : ['/ffff::ffff', '/::f', '/8000::1']),
    ),
  );
  return fc.tuple(fc.constantFrom(...universe.addresses), mask).map(([address, text]) => {
    if (parseAddress(address, family) === undefined) throw new RangeError(`${address} is not an ${family} address`);
    return `${address}${text}`;
  });
}

function device({ universe }: TableSite): fc.Arbitrary<string> {
  const name = fc.constantFrom(...universe.devices);
  return fc.oneof(
    name,
    name.map((text) => `${text.slice(0, -1)}+`),
    fc.constantFrom('+', 'absent0', 'fifteen-letters'),
  );
}

function matchTexts(shape: RulesetShape, site: RuleSite): fc.Arbitrary<string[]> {
  const memory = { none: 0, deterministic: 1, random: 2 } as const;
  const allowed = memory[shape.memory ?? 'deterministic'];
  const names = (shape.matches ?? MATCH_NAMES).filter((name) => {
    const generator = generatorOf(name);
    return (generator.fits?.(site) ?? true) && memory[generator.memory ?? 'none'] <= allowed;
  });
  // The matches of its own protocol are the ones that make a rule interesting.
  const own = names.filter((name) => generatorOf(name).fits !== undefined);
  const choice = (list: readonly MatchName[], maxLength: number): fc.Arbitrary<MatchName[]> =>
    list.length === 0 ? fc.constant([]) : fc.subarray([...list], { maxLength: Math.min(maxLength, list.length) });
  return fc
    .tuple(
      choice(own, 2),
      fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: choice(names, 2) }),
    )
    .map(([first, second]) => [...new Set([...first, ...second])])
    .chain((chosen) => fc.shuffledSubarray(chosen, { minLength: chosen.length }))
    .chain((chosen) => fc.tuple(...chosen.map((name) => matchText(name, site))));
}

function targetText(
  site: TableSite,
  hook: Hook | undefined,
  protocol: string | undefined,
  below: readonly string[],
): fc.Arbitrary<string> {
  const verdicts = fc.constantFrom('-j ACCEPT', '-j DROP', '-j RETURN', '');
  const choices: { weight: number; arbitrary: fc.Arbitrary<string> }[] = [{ weight: 6, arbitrary: verdicts }];
  const targets = site.shape.targets ?? ['reject', 'log'];
  if (below.length > 0)
    choices.push({
      weight: hook === undefined ? 4 : 8,
      arbitrary: fc.tuple(fc.constantFrom('-j', '-j', '-g'), fc.constantFrom(...below)).map((words) => words.join(' ')),
    });
  if (targets.includes('log')) choices.push({ weight: 1, arbitrary: logText });
  if (targets.includes('effect')) choices.push({ weight: 6, arbitrary: effectText });
  if (targets.includes('reject') && site.table === 'filter')
    choices.push({ weight: 1, arbitrary: rejectText(site.family, protocol) });
  return fc.oneof(...choices);
}

function rejectText(family: Family, protocol: string | undefined): fc.Arbitrary<string> {
  const kinds = REJECT_WITH[family].filter((kind) => kind !== 'tcp-reset' || protocol === 'tcp');
  return fc.constantFrom(...kinds).map((kind) => `-j REJECT --reject-with ${kind}`);
}

const logText: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('', ' --log-prefix "seen: "', ' --log-prefix x'),
      fc.constantFrom('', ' --log-level 7', ' --log-level debug'),
      fc.constantFrom('', ' --log-tcp-options', ' --log-uid --log-tcp-sequence', ' --log-ip-options'),
    )
    .map((words) => `-j LOG${words.join('')}`),
  fc
    .tuple(
      fc.constantFrom('', ' --nflog-prefix p'),
      fc.constantFrom('', ' --nflog-group 3'),
      fc.constantFrom('', ' --nflog-size 64'),
    )
    .map((words) => `-j NFLOG${words.join('')}`),
);
