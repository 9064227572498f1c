/** The example rule sets and capture that come with the program. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatDiagnostic } from '../../diagnostics/diagnostic.ts';
import { parseRuleset } from '../../languages/iptables/parse.ts';
import type { Family } from '../../packet/netfilter.ts';
import type { Ruleset } from '../../rules/model.ts';

/** Beside src/ and dist/; the code of a command is in dist/commands/demo/ or in dist/app/. */
const FOLDER = ['../../examples/', '../../../examples/']
  .map((path) => new URL(path, import.meta.url))
  .find(existsSync)!;

export interface Example {
  readonly family: Family;
  /** Relative to the program's folder. */
  readonly name: string;
  readonly text: string;
  readonly ruleset: Ruleset;
}

function load(family: Family, file: string): Example {
  const path = fileURLToPath(new URL(file, FOLDER));
  const text = readFileSync(path, 'utf8');
  const { ruleset, diagnostics } = parseRuleset({ name: path, text }, family);
  if (ruleset === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return { family, name: `examples/${file}`, text, ruleset };
}

/** The rule sets of the demonstration, one for each family. */
export function demoExamples(): readonly Example[] {
  return [load('ipv4', 'server.v4'), load('ipv6', 'server.v6')];
}

/** The capture of the demonstration's traffic. */
export function demoCapture(): Uint8Array {
  return readFileSync(new URL('server.pcap', FOLDER));
}
