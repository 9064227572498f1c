/** `bpfilter save`: the rules in force as restore text. */

import { readRuleset } from '../firewall/read.ts';
import { withSession } from '../firewall/session.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { EXIT, type Invocation } from './command.ts';
import { deviceHooks } from './device.ts';
import { saveDevice } from './device-list.ts';
import { chosenFamily } from './operands.ts';
import { netnsFor, tableOf } from './options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const netns = netnsFor(invocation);
  const family = chosenFamily(options) ?? 'ipv4';
  const only = tableOf(options);
  const [hook] = deviceHooks(options) ?? [];
  if (hook !== undefined) {
    output.out(saveDevice(netns, hook, family, options['counters'] === true));
    return EXIT.done;
  }
  const read = withSession(netns, ({ layout }) => readRuleset(layout, family));
  if (read === undefined) return EXIT.done;
  const { ruleset, warnings } = read;
  for (const warning of warnings) output.err(`bpfilter save: warning: ${warning}`);
  const tables = ruleset.tables.filter((table) => only === undefined || table.name === only);
  output.out(printRuleset({ ...ruleset, tables }, { counters: options['counters'] === true }));
  return EXIT.done;
}
