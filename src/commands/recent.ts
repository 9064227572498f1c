/** `bpfilter recent`: the addresses of a list, and changing them. */

import { changeRecentList, namesOf, printRecentList, type RecentChange } from '../firewall/named-tables.ts';
import { withExclusiveSession, withSession } from '../firewall/session.ts';
import { readKernelFacts } from '../kernel/facts.ts';
import { parseAddress } from '../packet/address.ts';
import { wholeNumber } from './arguments.ts';
import { EXIT, type Invocation } from './command.ts';
import { netnsOf } from './options.ts';

export async function run({ options, operands, output }: Invocation): Promise<number> {
  const [name, word] = operands;
  const netns = netnsOf(options);
  if (name === undefined) {
    const names = withSession(netns, ({ layout }) => namesOf(layout, 'recent'));
    output.out(names.map(({ table }) => `${table.name}\n`).join(''));
    return EXIT.done;
  }
  if (word === undefined) {
    output.out(withSession(netns, ({ layout }) => printRecentList(layout, name)));
    return EXIT.done;
  }
  const change = changeOf(word);
  if (change === undefined) {
    output.err(`bpfilter recent: "${word}" is neither +ADDRESS nor -ADDRESS nor /`);
    return EXIT.usage;
  }
  const waitSeconds = wholeNumber('wait', options['wait']) ?? 0;
  // The generation that holds the list must not go while it is changed.
  withExclusiveSession(netns, waitSeconds, ({ layout }) => changeRecentList(layout, name, change, readKernelFacts()));
  return EXIT.done;
}

function changeOf(word: string): RecentChange | undefined {
  if (word === '/') return { kind: 'flush' };
  const kind = word.startsWith('+') ? 'add' : word.startsWith('-') ? 'remove' : undefined;
  const text = word.slice(1);
  const family = text.includes(':') ? 'ipv6' : 'ipv4';
  const address = parseAddress(text, family);
  return kind === undefined || address === undefined ? undefined : { kind, family, address };
}
