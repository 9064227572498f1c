/** `bpfilter list`: rules in force, where each chain runs, what was counted. */

import { type FamilyInForce, type InForce, type ProgramInForce, readInForce } from '../firewall/read.ts';
import { withSession } from '../firewall/session.ts';
import type { Family, TableName } from '../packet/netfilter.ts';
import type { Counters, Table } from '../rules/model.ts';
import { EXIT, type Invocation } from './command.ts';
import { devicesJson, devicesShown, devicesText } from './device-list.ts';
import { listJson } from './list-json.ts';
import { chosenFamily } from './operands.ts';
import { netnsFor, tableOf } from './options.ts';
import { ruleWords } from './rule-words.ts';
import { textTable } from './text-table.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const netns = netnsFor(invocation);
  const family = chosenFamily(options);
  const table = tableOf(options);
  const all = withSession(netns, ({ layout }) => readInForce(layout));
  const shown = all === undefined ? undefined : select(all, family, table);
  for (const warning of (all?.families ?? []).flatMap((item) => item.warnings)) {
    output.err(`bpfilter list: warning: ${warning}`);
  }
  const devices = devicesShown(netns, family, table);
  if (options['json'] === true)
    output.out(`${JSON.stringify({ ...listJson(shown), ...devicesJson(devices) }, undefined, 2)}\n`);
  else {
    const netfilter =
      shown === undefined ? (devices.length === 0 ? 'nothing is in force here\n' : '') : listText(shown);
    output.out(netfilter + devicesText(devices));
  }
  return EXIT.done;
}

/** Only one family, only one table. */
function select(inForce: InForce, family: Family | undefined, table: TableName | undefined): InForce {
  const wanted = (item: { readonly table: TableName }): boolean => table === undefined || item.table === table;
  return {
    generation: inForce.generation,
    families: inForce.families
      .filter((item) => family === undefined || item.family === family)
      .map((item) => ({
        ...item,
        ruleset: {
          ...item.ruleset,
          tables: item.ruleset.tables.filter(({ name }) => table === undefined || name === table),
        },
        placements: item.placements.filter(wanted),
        programs: item.programs.filter(wanted),
      })),
  };
}

/** Everything in force, for people. */
export function listText(inForce: InForce): string {
  const families = inForce.families.map((family) => {
    const head = `${family.family}: loaded as generation ${family.madeBy}\n`;
    return head + family.ruleset.tables.map((table) => tableText(family, table)).join('');
  });
  return `generation ${inForce.generation}\n\n${families.join('\n')}`;
}

function tableText(family: FamilyInForce, table: Table): string {
  return table.chains
    .map((chain) => {
      const placement = family.placements.find((item) => item.table === table.name && item.chain === chain.name);
      const program = family.programs.find((item) => item.table === table.name && item.hook === chain.name);
      const policy = chain.policy === undefined ? '' : `  policy ${chain.policy} ${counterText(chain.counters)}`;
      const title = `\n${family.family} ${table.name} ${chain.name}  ${placement?.placement ?? ''}${policy}${programText(program)}\n`;
      if (chain.rules.length === 0) return title;
      const rows = chain.rules.map((rule, at) => [
        String(at + 1),
        String(rule.counters.packets),
        String(rule.counters.bytes),
        ruleWords(family.family, table.name, chain.name, rule),
      ]);
      return (
        title +
        textTable(
          [
            { title: 'num', align: 'right' },
            { title: 'packets', align: 'right' },
            { title: 'bytes', align: 'right' },
            { title: 'rule' },
          ],
          rows,
        )
      );
    })
    .join('');
}

function counterText({ packets, bytes }: Counters): string {
  return `[${packets}:${bytes}]`;
}

function programText(program: ProgramInForce | undefined): string {
  if (program === undefined) return '';
  const { id, instructions, jitedBytes, priority } = program;
  const place = priority === undefined ? '' : `, priority ${priority}`;
  return `  program ${id} (${instructions} instructions, ${jitedBytes} bytes of machine code${place})`;
}
