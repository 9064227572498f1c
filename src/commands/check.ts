/** `bpfilter check`: everything that can be said about rule sets without asking the kernel anything. */

import { REFERENCE_FACTS } from '../bpf/reference-facts.ts';
import { hasErrors } from '../firewall/plan.ts';
import { planFamilies } from '../firewall/plan-families.ts';
import { printRuleset } from '../languages/iptables/print.ts';
import { EXIT, type Invocation } from './command.ts';
import { checkDevices } from './device.ts';
import { parseFiles, readFiles, report } from './operands.ts';
import { placementTable } from './placement-table.ts';

export async function run({ options, output, ...invocation }: Invocation): Promise<number> {
  const files = readFiles({ options, output, ...invocation });
  const rulesets = parseFiles(files, output);
  if (rulesets === undefined) return EXIT.usage;

  if (options['hook'] !== undefined)
    return checkDevices(rulesets, { options, output, ...invocation }) ? EXIT.done : EXIT.usage;
  const strict = options['strict'] === true;
  const results = planFamilies(rulesets, REFERENCE_FACTS, { counters: true, strict });
  const diagnostics = results.flatMap((result) => result.diagnostics);
  report(diagnostics, output);
  if (hasErrors(diagnostics)) return EXIT.usage;

  if (options['print'] === true) {
    // What iptables-save would print after restoring the file: it lists the table that was loaded last first.
    const order = { counters: options['counters'] === true, tables: 'newest-first' } as const;
    for (const ruleset of rulesets) output.out(printRuleset(ruleset, order));
  }
  if (options['placement'] === true) output.out(placementTable(results.flatMap(({ plan }) => plan?.placements ?? [])));
  return EXIT.done;
}
