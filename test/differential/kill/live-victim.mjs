// Puts rules into force and then changes one rule after the other, saying so after each, until it is killed.
// Arguments: network namespace, file of rules, first number. Run with the compiled program.
import { readFileSync, writeSync } from 'node:fs';
import { openLiveFirewall } from '../../../dist/firewall/live/live-firewall.js';
import { parseRuleset } from '../../../dist/languages/iptables/parse.js';

const [netns, file, first] = process.argv.slice(2);
const { ruleset } = parseRuleset({ name: 'rules', text: readFileSync(file, 'utf8') }, 'ipv4');
const live = openLiveFirewall({ family: 'ipv4', netns, waitSeconds: 10 });
live.apply(ruleset, { counters: false });
const place = { table: 'filter', chain: 'INPUT' };
for (let number = Number(first); ; number++) {
  const text = `*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p udp -m udp --dport ${number} -j DROP\nCOMMIT\n`;
  const [rule] = parseRuleset({ name: 'rule', text }, 'ipv4').ruleset.tables[0].chains[0].rules;
  const { how } = live.change([
    { ...place, kind: 'insert', at: 20, rule },
    { ...place, kind: 'delete', at: 21 },
  ]);
  writeSync(1, `${how} ${number}\n`);
  // Half of the time the look-up is being put in order besides.
  if (number % 8 === 0) live.compact();
  await new Promise((resolve) => setImmediate(resolve));
}
