/** What the installed iptables-legacy makes of a rule line, compared with what we make of it. */

import { rmSync } from 'node:fs';
import { parseRuleset } from '../../src/languages/iptables/parse.ts';
import { printRuleset } from '../../src/languages/iptables/print.ts';
import { type Family, TABLE_HOOKS, type TableName } from '../../src/packet/netfilter.ts';
import { run } from '../support/command.ts';

const NAMESPACE = `bpfilter-language-${process.pid}`;
const PROGRAM = { ipv4: 'iptables-legacy', ipv6: 'ip6tables-legacy' } as const satisfies Record<Family, string>;
const LOCK = { XTABLES_LOCKFILE: `/run/${NAMESPACE}.lock` };

/** Makes the namespace that the comparisons use. */
export function beginComparing(): void {
  run('ip', ['netns', 'add', NAMESPACE]);
}

/** Removes it. */
export function endComparing(): void {
  run('ip', ['netns', 'del', NAMESPACE]);
  rmSync(LOCK.XTABLES_LOCKFILE, { force: true });
}

/** Undefined: refused. */
type Answer = string | undefined;

/**
 * Where the installed iptables 1.8.9 differs from the cases of 1.8.13, which are our yardstick, or where we are stricter on
 * purpose.
 */
const KNOWN: readonly { readonly why: string; covers(line: string, ours: Answer, reason: string): boolean }[] = [
  {
    why: '1.8.9 takes the option itself for part of an attached value',
    covers: (line) => /(^|\s)(-[sdpijog4vf]+[^\s]|--(protocol|jump|goto|in-interface|out-interface)?=)/.test(line),
  },
  {
    why: '1.8.9 takes inverted ranges',
    covers: (_line, _ours, reason) => reason.includes('ends before it begins'),
  },
  {
    why: '1.8.9 takes --ctproto 0',
    covers: (_line, _ours, reason) => reason.includes('protocol 0 is every'),
  },
  {
    why: '1.8.9 does not print an inverted full range and an inverted "+"',
    covers: (_line, ours) => /! --\S+ 0:(65535|4294967295)|! -[io] \+/.test(ours ?? ''),
  },
  {
    why: '1.8.9 prints ICMP type 255/255 as any',
    covers: (_line, ours) => ours?.includes('--icmp-type 255/') === true,
  },
  { why: '1.8.9 takes 65535 as the end of a range of queues', covers: (line) => line.includes('--queue-b') },
  {
    why: '1.8.9 wraps ports above 65535',
    covers: (line, _ours, reason) => /--ct\w+port/.test(line) && reason.includes('neither a port'),
  },
  {
    why: 'objects of the machine are looked for when rules are applied, not when they are read',
    covers: (_line, ours) =>
      /-m (cgroup .*--path|nfacct|set|rateest|ipvs|bpf --object-pinned) |-j (SET|SECMARK|LED|CT .*--(helper|timeout)) /.test(
        ours ?? '',
      ),
  },
  {
    why: '1.8.9 does not print an inverted full range of an index',
    covers: (_line, ours) => /! --(ahspi|espspi|ipcompspi|fragid|rt-segsleft|mh-type) 0:/.test(ours ?? ''),
  },
  { why: '1.8.9 takes ipcomp without an index for index 0', covers: (line) => /-m ipcomp\b/.test(line) },
  {
    why: '1.8.9 prints names that it cannot read back without quotes',
    covers: (_line, ours) =>
      /--(name|hashlimit-name|genre|physdev-in|physdev-out|label|rateest-name|weekdays|monthdays|dccp-types|oif) "/.test(
        ours ?? '',
      ),
  },
  {
    why: 'numbers that iptables cuts to the bits it has, and masks that are no prefix, are refused',
    covers: (line, ours) =>
      ours === undefined &&
      /--(bytecode|hbh-opts|dst-opts|mss|wscale|connlimit-mask|\w+mark-\w+-prefix|rateest-\w+) /.test(line),
  },
  {
    why: 'units, days, months and bursts that do not exist are refused',
    covers: (line, ours) => ours === undefined && /--(hashlimit-\w+|weekdays|monthdays|datest\w+) /.test(line),
  },
  {
    why: '1.8.9 prints a burst in whole megabytes',
    covers: (_line, ours) => /--hashlimit-burst \d+kb/.test(ours ?? ''),
  },
  {
    why: '1.8.9 leaves out an end of time that is its beginning, and reads that back as none',
    covers: (_line, ours) => ours?.includes('--datestop 1970-01-01T00:00:00') === true,
  },
  { why: '1.8.9 prints seconds with a sign', covers: (_line, ours) => /--seconds [2-4]\d{9}/.test(ours ?? '') },
  {
    why: '1.8.9 has fewer types of SCTP chunks',
    covers: (_line, ours) => /I_DATA|RE_CONFIG|PAD|I_FORWARD_TSN/.test(ours ?? ''),
  },
  { why: 'iptables has no file for the match udplite of the kernel', covers: (line) => /-m udplite\b/.test(line) },
  {
    why: 'labels and ports that iptables cuts to the bits it has, or reads from nothing as 0, are refused',
    covers: (line, ours) => ours === undefined && /--(label|[sd]port|on-port)\b/.test(line),
  },
  {
    why: 'what stands behind a class is refused, where iptables reads the class and passes over the rest',
    covers: (line, ours) => ours === undefined && /--(dscp-class|set-dscp-class|set-class) \S+[^A-Z0-9]/.test(line),
  },
  {
    why: 'addresses with blanks before them, and names that no device can have, are refused',
    covers: (line, ours) => ours === undefined && /--(src-range|dst-range|physdev-in|physdev-out)\b/.test(line),
  },
  {
    why: '1.8.9 does not print flags that no mask asks for, though no packet then matches',
    covers: (_line, ours) => /--tcp-flags NONE [A-Z]/.test(ours ?? ''),
  },
  {
    why: 'an empty type is refused, where iptables takes it for 0',
    covers: (line, ours) => ours === undefined && /--mh-type[ =]("")?( |$)/.test(line),
  },
  {
    why: 'a list of headers that ends with a comma is refused',
    covers: (line, ours) => ours === undefined && /--header \S+,( |$)/.test(line),
  },
  {
    why: 'an empty name is refused, where iptables makes a rule without it',
    covers: (line, ours) => ours === undefined && /-j CT\b.*--(helper|timeout)[ =]("")?( |$)/.test(line),
  },
  { why: 'we ask for closed quotes', covers: (_line, _ours, reason) => reason.includes('never closed') },
];

/** Targets that live in other tables than filter, and a chain where they may stand. */
const HOMES: readonly { readonly targets: RegExp; readonly table: TableName; readonly chain: string }[] = [
  { targets: /-j (DNAT|REDIRECT)\b/, table: 'nat', chain: 'PREROUTING' },
  { targets: /-j (SNAT|MASQUERADE|NETMAP)\b/, table: 'nat', chain: 'POSTROUTING' },
  { targets: /-j (CT|NOTRACK|TRACE)\b/, table: 'raw', chain: 'PREROUTING' },
  { targets: /-j TPROXY\b/, table: 'mangle', chain: 'PREROUTING' },
  { targets: /-j DNPT\b/, table: 'mangle', chain: 'PREROUTING' },
  { targets: /-j SNPT\b/, table: 'mangle', chain: 'POSTROUTING' },
  { targets: /-m rpfilter\b/, table: 'mangle', chain: 'PREROUTING' },
  {
    targets: /-j (ECN|HMARK|TCPOPTSTRIP|CONNSECMARK|TOS|DSCP|TTL|HL|CHECKSUM|CLASSIFY|TCPMSS)\b/,
    table: 'mangle',
    chain: 'FORWARD',
  },
];

/** The line in a small file; where its target lives in another table, in that one. */
function place(line: string): { readonly table: TableName; readonly text: string } {
  const home = HOMES.find((item) => item.targets.test(line));
  const table = home?.table ?? 'filter';
  const placed = home === undefined ? line : line.replace('-A INPUT', `-A ${home.chain}`);
  return { table, text: fileOf(table, placed) };
}

function fileOf(table: TableName, line: string): string {
  const policies = TABLE_HOOKS[table].hooks.map((hook) => `:${hook} ACCEPT [0:0]\n`).join('');
  return `*${table}\n${policies}:chain - [0:0]\n${line}\nCOMMIT\n`;
}

function theirAnswer(text: string, table: TableName, family: Family): Answer {
  const args = ['netns', 'exec', NAMESPACE];
  try {
    run('ip', [...args, `${PROGRAM[family]}-restore`, '-c'], text, LOCK);
  } catch {
    return undefined;
  }
  return run('ip', [...args, `${PROGRAM[family]}-save`, '-c', '-t', table], '', LOCK).replace(/^#.*\n/gm, '');
}

/**
 * A sentence about a difference, undefined where there is none or a known one. `home` is the table of the line; absent, it is
 * a line of filter INPUT, and put where its target lives.
 */
export function compareWithLegacy(line: string, family: Family, home?: TableName): string | undefined {
  const { table, text } = home === undefined ? place(line) : { table: home, text: fileOf(home, line) };
  const { ruleset, diagnostics } = parseRuleset({ name: 'line', text }, family);
  const ours = ruleset === undefined ? undefined : printRuleset(ruleset, { counters: true });
  const theirs = theirAnswer(text, table, family);
  const reason = diagnostics.map((item) => item.message).join('; ');
  if (ours === theirs || KNOWN.some((known) => known.covers(line, ours, reason))) return undefined;
  return `${family} ${line}\n  ours: ${ours ?? reason}\n  theirs: ${theirs ?? 'refused'}`;
}
