/** FILE operands: reads them, finds their families, parses them, prints what is wrong with them. */

import { type Diagnostic, formatDiagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceText } from '../diagnostics/source.ts';
import { parseRuleset } from '../languages/iptables/parse.ts';
import { FAMILIES, type Family } from '../packet/netfilter.ts';
import type { Ruleset } from '../rules/model.ts';
import { accountsOf } from './accounts.ts';
import { type Invocation, UsageError } from './command.ts';
import { type Host, HostQuestion, ownHost } from './host.ts';
import type { Output } from './output.ts';

/** A file as it was named, with the family it is for. */
export interface RuleFile {
  readonly source: SourceText;
  readonly family: Family;
}

/** The family that -4 or -6 asks for. Throws UsageError for both. */
export function chosenFamily(options: Invocation['options']): Family | undefined {
  if (options['ipv4'] === true && options['ipv6'] === true) throw new UsageError('-4 and -6 exclude each other');
  if (options['ipv4'] === true) return 'ipv4';
  return options['ipv6'] === true ? 'ipv6' : undefined;
}

/** The family of a FILE operand: -4 or -6, else its suffix, else IPv4. */
export function familyOf(operand: string, chosen: Family | undefined): Family {
  if (chosen !== undefined) return chosen;
  return operand.endsWith('.v6') ? 'ipv6' : 'ipv4';
}

/** Reads the operands. Throws UsageError for a file that cannot be read and for standard input named twice. */
export function readFiles(invocation: Invocation): readonly RuleFile[] {
  const chosen = chosenFamily(invocation.options);
  if (invocation.operands.filter((operand) => operand === '-').length > 1) {
    throw new UsageError('standard input can be read only once');
  }
  return invocation.operands.map((operand) => ({
    family: familyOf(operand, chosen),
    source: { name: operand === '-' ? '<stdin>' : operand, text: readText(operand, invocation.host) },
  }));
}

function readText(operand: string, host: Host): string {
  try {
    return operand === '-' ? host.readInput() : host.readFile(operand);
  } catch (error) {
    if (error instanceof HostQuestion) throw error;
    throw new UsageError(`cannot read ${operand}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** At most one file for each family. Throws UsageError. */
export function requireOnePerFamily(files: readonly RuleFile[]): void {
  for (const family of FAMILIES) {
    const names = files.filter((file) => file.family === family).map((file) => file.source.name);
    if (names.length > 1) {
      throw new UsageError(
        `${names.join(' and ')} are both for ${family}, and a file is the complete policy of its family`,
      );
    }
  }
}

/** Parses every file and reports every fault of all of them; undefined when one of them has errors. */
export function parseFiles(
  files: readonly RuleFile[],
  output: Output,
  host: Host = ownHost,
): readonly Ruleset[] | undefined {
  const results = files.map((file) => parseRuleset(file.source, file.family, { accounts: accountsOf(host) }));
  report(
    results.flatMap((result) => result.diagnostics),
    output,
  );
  const rulesets = results.flatMap((result) => (result.ruleset === undefined ? [] : [result.ruleset]));
  return rulesets.length === files.length ? rulesets : undefined;
}

/** Prints diagnostics to standard error. */
export function report(diagnostics: readonly Diagnostic[], output: Output): void {
  for (const item of diagnostics) output.err(formatDiagnostic(item));
}
