/** Every subcommand with its options: the argument parser and all help texts read this and nothing else. */

import type { CommandOption, CommandSpec } from './command.ts';

const NETNS: CommandOption = {
  value: 'NAME',
  help: 'work in this network namespace (a name as `ip netns` knows it, or a path) instead of the current one',
};
const HELP: CommandOption = { short: 'h', help: 'print this help' };
const IPV4: CommandOption = { short: '4', help: 'IPv4' };
const IPV6: CommandOption = { short: '6', help: 'IPv6' };
const JSON_OUTPUT: CommandOption = { help: 'print JSON instead of text' };
const COUNTERS: CommandOption = { short: 'c', help: 'with packet and byte counters' };
const WAIT: CommandOption = {
  short: 'w',
  value: 'SECONDS',
  help: 'wait this long for another bpfilter that is changing the same namespace (default: not at all)',
};

const STRICT: CommandOption = {
  help: 'refuse rules that keep a table other than nat with the kernel, instead of only naming them',
};

const FILES =
  'FILE is restore text (`-`: standard input). Its family comes from -4 or -6, else from the suffix .v4 or .v6, else it is IPv4.';

export const COMMANDS = {
  check: {
    summary: 'read rule sets and report everything that is wrong with them',
    operands: 'FILE...',
    minOperands: 1,
    options: {
      ipv4: IPV4,
      ipv6: IPV6,
      print: { short: 'p', help: 'write the rules back in the canonical form of iptables-save' },
      counters: { ...COUNTERS, help: 'print counters too' },
      placement: { help: 'print where each chain would run, and the share of the rules that run as programs' },
      hook: { value: 'HOOKS', help: 'say what `apply --hook` would say of the rules' },
      chain: { value: 'CHAIN', help: 'the chain that --hook means' },
      strict: STRICT,
      netns: NETNS,
      help: HELP,
    },
    details: [FILES, 'Needs no privilege and changes nothing.'],
    load: () => import('./check.ts'),
  },
  apply: {
    summary: 'put rule sets into force, in one switch',
    operands: 'FILE...',
    minOperands: 1,
    options: {
      ipv4: IPV4,
      ipv6: IPV6,
      counters: { ...COUNTERS, help: 'start the counters at the values in the file, not at zero' },
      'dry-run': { short: 'n', help: 'do everything except loading: read, compile, print the placement' },
      strict: STRICT,
      xdp: {
        value: 'DEVICE[,DEVICE...]|auto',
        help: 'drop packets before there is a packet buffer on these devices (eth+: all whose names begin so), where that is certain to be the same (docs/early-drop.md)',
      },
      'xdp-mode': {
        value: 'MODE',
        help: 'with --xdp: native (default), in the driver; generic, in the stack, for drivers that cannot',
      },
      hook: {
        value: 'HOOKS',
        help: 'put one chain of the rules on a device instead of netfilter: xdp:DEVICE, tc-ingress:DEVICE, tc-egress:DEVICE, or several with commas (docs/device-hooks.md)',
      },
      chain: {
        value: 'CHAIN',
        help: 'the chain that --hook means, as INPUT or mangle/PREROUTING (default: filter INPUT for what comes in, filter OUTPUT for what goes out)',
      },
      generic: { help: 'with --hook xdp: in generic mode, for drivers that cannot run XDP programs' },
      json: JSON_OUTPUT,
      wait: WAIT,
      netns: NETNS,
      help: HELP,
    },
    details: [
      FILES,
      'The files are the complete policy of their families; a family that no file names keeps its rules and counters. ' +
        'Until everything is loaded the old rules filter; if anything fails they stay in force.',
      'nat is loaded into the kernel by its own iptables, and so is, as a whole, every other table with a rule that cannot run ' +
        'as a program exactly: each such rule is named. The rest runs as BPF programs.',
    ],
    load: () => import('./apply.ts'),
  },
  recent: {
    summary: 'show the lists of `-m recent` that run as programs, or change one',
    operands: '[NAME [+ADDRESS|-ADDRESS|/]]',
    minOperands: 0,
    options: { netns: NETNS, wait: WAIT, help: HELP },
    details: [
      'Without a NAME: the names. With one: its addresses, as /proc/net/xt_recent/NAME shows those of the kernel, the one that was ' +
        'stored longest ago first. `+ADDRESS` stores an address, `-ADDRESS` (behind `--`, since it looks like an option) removes it, `/` empties the list.',
    ],
    load: () => import('./recent.ts'),
  },
  hashlimit: {
    summary: 'show the accounts of `-m hashlimit` that run as programs',
    operands: '[NAME]',
    minOperands: 0,
    options: {
      ipv4: { ...IPV4, help: 'the IPv4 table of that name (default)' },
      ipv6: { ...IPV6, help: 'the IPv6 table of that name' },
      netns: NETNS,
      help: HELP,
    },
    details: [
      'Without a NAME: the names. With one: its accounts, as /proc/net/ipt_hashlimit/NAME shows those of the kernel.',
    ],
    load: () => import('./hashlimit.ts'),
  },
  save: {
    summary: 'print the rules in force as restore text',
    operands: '',
    minOperands: 0,
    options: {
      ipv4: { ...IPV4, help: 'the IPv4 rules (default)' },
      ipv6: { ...IPV6, help: 'the IPv6 rules' },
      counters: COUNTERS,
      hook: { value: 'HOOK', help: 'the rules on a device instead, such as tc-ingress:eth0' },
      table: { short: 't', value: 'TABLE', help: 'only this table' },
      netns: NETNS,
      help: HELP,
    },
    details: ['The text can be given to `bpfilter apply` and to iptables-restore.'],
    load: () => import('./save.ts'),
  },
  list: {
    summary: 'show rules in force with placement, counters and programs',
    operands: '',
    minOperands: 0,
    options: {
      ipv4: { ...IPV4, help: 'only IPv4' },
      ipv6: { ...IPV6, help: 'only IPv6' },
      table: { short: 't', value: 'TABLE', help: 'only this table' },
      json: JSON_OUTPUT,
      netns: NETNS,
      help: HELP,
    },
    details: [],
    load: () => import('./list.ts'),
  },
  adopt: {
    summary: "take over what the kernel's iptables filters with",
    operands: '',
    minOperands: 0,
    options: {
      ipv4: { ...IPV4, help: 'only IPv4' },
      ipv6: { ...IPV6, help: 'only IPv6' },
      strict: STRICT,
      wait: WAIT,
      netns: NETNS,
      help: HELP,
    },
    details: [
      "Reads the kernel's own tables, or if they are empty what iptables-nft keeps, puts the same rules into force with their " +
        'counters, and then empties the tables. nat is left alone. Old or new rules are in force at every instant.',
    ],
    load: () => import('./adopt.ts'),
  },
  release: {
    summary: 'give the rules in force back to the kernel',
    operands: '',
    minOperands: 0,
    options: { wait: WAIT, netns: NETNS, help: HELP },
    details: [
      "Loads what runs as programs into the kernel's own tables, with its counters, and then removes bpfilter from this network " +
        'namespace. Needs no iptables, except for tables with rules that change packets.',
    ],
    load: () => import('./release.ts'),
  },
  supervise: {
    summary: "run a command whose own iptables works on bpfilter's rules",
    operands: '-- COMMAND [ARGUMENT...]',
    minOperands: 1,
    options: {
      settle: {
        value: 'MILLISECONDS',
        help: 'compile when rules have been unchanged for so long; until then the kernel runs them (default: 100)',
      },
      verbose: { short: 'v', help: 'say what becomes of rules' },
      help: HELP,
    },
    details: [
      'The command, and everything that it starts, may use any iptables that talks to the tables of the kernel (iptables-legacy): what programs run, ' +
        'bpfilter answers for, in the network namespace of the caller; the rest the kernel does as ever.',
      "Ends when the last process has ended, with the command's exit status. Rules stay in force.",
    ],
    load: () => import('./supervise.ts'),
  },
  flush: {
    summary: 'take everything out of force and remove it',
    operands: '',
    minOperands: 0,
    options: {
      hook: { value: 'HOOKS', help: 'only the rules on these devices, such as xdp:eth0' },
      wait: WAIT,
      netns: NETNS,
      help: HELP,
    },
    details: [
      'Removes programs, maps, links and the nft table of this network namespace, the rules that bpfilter loaded ' +
        "into the kernel's own tables, and whatever an interrupted apply left. Afterwards nothing of bpfilter filters here.",
    ],
    load: () => import('./flush.ts'),
  },
  monitor: {
    summary: 'print what LOG and NFLOG rules report',
    operands: '',
    minOperands: 0,
    options: {
      count: { short: 'n', value: 'NUMBER', help: 'end after this many lines' },
      netns: NETNS,
      help: HELP,
    },
    details: ['One line a packet, as the kernel writes its LOG lines. Ends with an interrupt.'],
    load: () => import('./monitor.ts'),
  },
  top: {
    summary: 'show rates of packets, rule by rule, as they change',
    operands: '',
    minOperands: 0,
    options: {
      interval: { short: 'i', value: 'SECONDS', help: 'how often to look (default: 1)' },
      sort: { short: 's', value: 'KEY', help: 'packets (default), bytes, total or order' },
      once: { help: 'print rates once, after one interval' },
      count: { short: 'n', value: 'NUMBER', help: 'end after this many times' },
      json: { help: 'print one JSON object in a line each time' },
      netns: NETNS,
      help: HELP,
    },
    details: [
      'On a terminal it fills the screen until q or an interrupt; p, b, t and o sort by packets, bytes, total and order. Else it prints what has traffic, again and again.',
    ],
    load: () => import('./top.ts'),
  },
  doctor: {
    summary: 'say what this kernel and this machine can do',
    operands: '',
    minOperands: 0,
    options: { json: JSON_OUTPUT, netns: NETNS, help: HELP },
    details: ['Exit status 3 when something that bpfilter cannot do without is missing.'],
    load: () => import('./doctor.ts'),
  },
  demo: {
    summary: 'show bpfilter and the kernel side by side on example rules',
    operands: '',
    minOperands: 0,
    options: { help: HELP },
    details: [
      'As root: in throwaway network namespaces, with real packets. Without: the same programs in the built-in virtual machine.',
    ],
    load: () => import('./demo.ts'),
  },
  completion: {
    summary: 'print the script by which a shell completes the words of bpfilter',
    operands: 'bash|zsh|fish',
    minOperands: 1,
    options: { help: HELP },
    details: ['For bash: `source <(bpfilter completion bash)`. Packages install it.'],
    load: () => import('./completion.ts'),
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof COMMANDS;

/** The command's record, or undefined for an unknown name. */
export function findCommand(name: string): CommandSpec | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name as CommandName] : undefined;
}
