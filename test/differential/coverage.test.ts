/** Whatever match or target runs as a program is compared with the kernel's iptables somewhere; and those that nothing else compares. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MATCHES } from '../../src/extensions/registry.ts';
import { FAMILIES, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { HEADER_RULES } from '../generate/header-rules.ts';
import { MATCH_NAMES } from '../generate/index.ts';
import { SCAN_RULES } from '../generate/scan-rules.ts';
import { optionLines } from '../language/option-lines.ts';
import { bpfilterFirewall } from '../support/bpfilter-firewall.ts';
import { kernelFirewall } from '../support/firewalls.ts';
import { DIFFERENTIAL, suite } from '../support/suite.ts';
import { compare } from './bisect.ts';
import { allFlows, ENDS } from './flows.ts';
import { outcomeOf } from './outcome.ts';
import { FORWARD } from './stimulus.ts';

/** Generators of random rules whose name is not that of a match. */
const GENERATORS: Readonly<Record<string, string>> = { nth: 'statistic', random: 'statistic' };

/** What cannot be compared here. */
const APART: Readonly<Record<string, string>> = {
  'm udplite': 'iptables has no file for it; test/agreement compares the evaluator with the programs',
  'j SECMARK': 'wants a security module that knows contexts',
  'j LED': 'wants a kernel with LED triggers',
  'j IDLETIMER': "its timer is the kernel's own in both firewalls",
};

function rulesFile(table: TableName, rules: readonly string[]): string {
  const policies = TABLE_HOOKS[table].hooks.map((hook) => `:${hook} ACCEPT [0:0]\n`).join('');
  return `*${table}\n${policies}${rules.map((rule) => `${rule}\n`).join('')}COMMIT\n`;
}

/** Matches that run as programs with no options that the lines have. */
const MATCHES_OF_THE_KERNEL = ['ipvs'];

/** `m NAME` and `j NAME` of every rule in a text. */
function usesIn(text: string): readonly string[] {
  return [...text.matchAll(/-([mj]) ([A-Za-z0-9]+)/g)].map(([, letter, name]) => `${letter} ${name}`);
}

/** Matches and targets of which at least one rule runs as a program. */
function programUses(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { family, table, text } of optionLines()) {
    if (table === 'nat') continue;
    const outcome = outcomeOf('rule', rulesFile(table, [text]), family);
    if (outcome.kind === 'applies' && outcome.share.kernel === 0) for (const use of usesIn(text)) found.add(use);
  }
  return found;
}

/** Those that the comparisons name: in their own rules, in rules made for them, or at random. */
function comparedUses(): ReadonlySet<string> {
  const folder = import.meta.dirname;
  const files = [
    ...readdirSync(folder).filter((name) => name.endsWith('.ts')),
    ...readdirSync(join(folder, 'cases')).map((name) => join('cases', name)),
  ].map((name) => readFileSync(join(folder, name), 'utf8'));
  const made = [HEADER_RULES, SCAN_RULES].map((rules) => JSON.stringify(rules));
  const effects = readFileSync(join(folder, '..', 'generate', 'effects.ts'), 'utf8');
  return new Set([
    ...MATCH_NAMES.map((name) => `m ${GENERATORS[name] ?? name}`),
    ...[...files, ...made, effects].flatMap(usesIn),
    // Written without the -j in front of them.
    ...files.flatMap((text) => [...text.matchAll(/'([A-Z]{2,}) --/g)].map((match) => `j ${match[1]}`)),
  ]);
}

it('whatever runs as a program is compared', () => {
  const compared = comparedUses();
  const missing = [...programUses()].filter((use) => !compared.has(use) && APART[use] === undefined);
  expect(missing.sort()).toEqual([]);
});

it('every match runs as a program with some options', () => {
  const uses = programUses();
  const never = MATCHES.map(({ name }) => name).filter((name) => !uses.has(`m ${name}`));
  expect(never).toEqual(MATCHES_OF_THE_KERNEL);
});

/** Options, `--name`, of every match and target in a text: of those alone that stand behind `-m` or `-j`. */
function optionsIn(text: string): readonly string[] {
  return [...text.matchAll(/-[mj] ([A-Za-z0-9]+)((?:(?! -[mjg] ).)*)/g)].flatMap(([, name, words = '']) =>
    [...words.matchAll(/ --([a-z0-9-]+)/g)].map(([, option]) => `${name} --${option}`),
  );
}

/** Options of rules that run as programs, of matches and targets that are not left out as a whole. */
function programOptions(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { family, table, text } of optionLines()) {
    if (table === 'nat' || usesIn(text).some((use) => APART[use] !== undefined)) continue;
    const outcome = outcomeOf('rule', rulesFile(table, [text]), family);
    if (outcome.kind === 'applies' && outcome.share.kernel === 0)
      for (const option of optionsIn(text)) found.add(option);
  }
  return found;
}

/** Options that are passed on: by targets to the kernel's own target in these very words, by matches that ask the kernel in its own structure. */
const PASSED_ON = [
  // The kernel has never looked at it.
  'NFLOG --nflog-range',
  // Compared with the programs in test/agreement alone: a kernel without ESP and AH has no packets for it.
  ...['policy --tunnel-dst', 'policy --tunnel-src'],
];

/** Every option that comparisons and generators write: `--name`, or `name` as the first argument of a function that writes it. */
function comparedWords(): ReadonlySet<string> {
  const folders = [
    import.meta.dirname,
    join(import.meta.dirname, 'cases'),
    join(import.meta.dirname, '..', 'generate'),
  ];
  const texts = folders.flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'coverage.test.ts')
      .map(({ name }) => readFileSync(join(folder, name), 'utf8')),
  );
  return new Set(
    texts.flatMap((text) =>
      [...text.matchAll(/(?:--|\b[a-z]+\(')([a-z0-9]+(?:-[a-z0-9]+)*)/g)].map(([, word]) => word!),
    ),
  );
}

it('every option of what runs as a program is compared', () => {
  const compared = comparedWords();
  const options = [...programOptions()];
  expect(options.length).toBeGreaterThan(150);
  const missing = options.filter((use) => !compared.has(use.split(' --')[1]!) && !PASSED_ON.includes(use));
  expect(missing.sort()).toEqual([]);
});

suite('what no other comparison has', DIFFERENTIAL, () => {
  const options = { left: kernelFirewall, right: bpfilterFirewall, devices: ['eth0', 'eth1'] };

  it.each(FAMILIES)('%s: CONNSECMARK, without a security module', (family) => {
    const rules = ['-A PREROUTING -j CONNSECMARK --restore', '-A FORWARD -j CONNSECMARK --save'];
    const phases = [{ path: FORWARD, stimuli: allFlows(ENDS[family]) }];
    expect(compare({ [family]: rulesFile('mangle', rules) }, phases, options)).toBeUndefined();
  });
});
