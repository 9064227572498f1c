/** `bpfilter hashlimit`: the accounts of a table. */

import { namesOf, printHashlimit } from '../firewall/named-tables.ts';
import { withSession } from '../firewall/session.ts';
import { kernelHz } from '../kernel/facts.ts';
import { EXIT, type Invocation } from './command.ts';
import { netnsOf } from './options.ts';

export async function run({ options, operands, output }: Invocation): Promise<number> {
  const [name] = operands;
  const family = options['ipv6'] === true ? 'ipv6' : 'ipv4';
  const text = withSession(netnsOf(options), ({ layout }) => {
    if (name !== undefined) return printHashlimit(layout, family, name, kernelHz());
    return namesOf(layout, 'hashlimit')
      .flatMap(({ table }) => (table.kind === 'hashlimit' && table.family === family ? [`${table.name}\n`] : []))
      .join('');
  });
  output.out(text);
  return EXIT.done;
}
