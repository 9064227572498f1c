/** Writes docs/extensions.md from the tables that the parser reads, so that it cannot tell anything else. */

import type { MatchExtension, OptionSpec, TargetExtension } from './contract.ts';
import { MATCHES, TARGETS } from './registry.ts';

type Extension = MatchExtension | TargetExtension;

const INTRODUCTION = `# Matches and targets

Generated from \`src/extensions/\` (\`npx vitest run src/extensions/docs.test.ts -u\`).

An extension that is marked **BPF** runs as a program, in every table but nat. **BPF, carried out by the kernel**: the program decides which packets meet
the target, and the kernel's own target does it. **BPF, evaluated by the kernel**: for a match whose evaluation has an effect (with some options, perhaps) the program
lets the kernel's own match decide when a packet gets to it, and goes on with the answer. The others leave their table with the kernel's own iptables, as nat always is. \`!\` before an option is allowed where the table says so. Any unambiguous beginning of an option's
name is accepted, and printed in full. ACCEPT, DROP, RETURN, \`-j CHAIN\`, \`-g CHAIN\` and rules without a target need no extension.
`;

/** The whole page, as Markdown. */
export function extensionsPage(): string {
  return [
    INTRODUCTION,
    '## At a glance\n',
    overview('Match', MATCHES),
    overview('Target', TARGETS),
    '## Matches\n',
    ...MATCHES.map(section),
    '## Targets\n',
    ...TARGETS.map(section),
  ].join('\n');
}

function overview(title: string, extensions: readonly Extension[]): string {
  const rows = extensions.map((extension) => {
    const families = extension.families.map((family) => (family === 'ipv4' ? 'v4' : 'v6')).join(' ');
    return `| ${extension.name} | ${families} | ${dataPath(extension)} | ${extension.summary ?? ''} |`;
  });
  return [`| ${title} | Family | | |`, '|---|---|---|---|', ...rows, ''].join('\n');
}

/** Where its rules can run, besides the kernel. */
function dataPath(extension: Extension): string {
  if (extension.kind === 'match' && extension.suspends !== undefined) return 'BPF, evaluated by the kernel';
  if (extension.lower !== undefined) return 'BPF';
  return extension.kind === 'target' && extension.effect !== undefined ? 'BPF, carried out by the kernel' : '';
}

function section(extension: Extension): string {
  const lines = [`### ${extension.name}\n`, extension.summary ?? '', ''];
  const limits = [
    dataPath(extension) === '' ? 'Only in tables that stay with the kernel.' : '',
    extension.families.length === 1 ? `Only for ${extension.families[0] === 'ipv4' ? 'IPv4' : 'IPv6'}.` : '',
    extension.protocols === undefined ? '' : `Needs a protocol: ${extension.protocols.join(', ')}.`,
    extension.tables === undefined ? '' : `Table: ${extension.tables.join(', ')}.`,
    extension.hooks === undefined ? '' : `Reached from: ${extension.hooks.join(', ')}.`,
  ].filter((text) => text !== '');
  if (limits.length > 0) lines.push(limits.join(' '), '');
  if (extension.options.length > 0) {
    lines.push('| Option | Value | | |', '|---|---|---|---|', ...extension.options.map(optionRow), '');
  }
  if (extension.notes !== undefined) lines.push(...extension.notes.map((note) => `- ${note}`), '');
  return lines.join('\n');
}

function optionRow(spec: OptionSpec): string {
  const names = [spec.name, ...(spec.aliases ?? [])].map((name) => `\`--${name}\``).join(', ');
  const invert = spec.invertible === true ? '`!`' : '';
  return `| ${names} | ${spec.syntax ?? ''} | ${invert} | ${spec.mandatory === true ? 'required' : ''} |`;
}
