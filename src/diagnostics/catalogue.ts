/**
 * Every message a user can cause, with its stable code. Codes never change meaning; texts may improve.
 * `%name%` stands for a parameter given by the place that reports it.
 */
interface Entry {
  readonly severity: 'error' | 'warning';
  readonly text: string;
  readonly help?: string;
}

export const CATALOGUE = {
  'unknown-option': { severity: 'error', text: 'unknown option "%option%"' },
  'not-yet-supported-match': {
    severity: 'error',
    text: 'match "%name%" is not yet supported',
    help: 'without --strict its table stays with the kernel, which runs it as iptables does',
  },
  'not-yet-supported-target': {
    severity: 'error',
    text: 'target "%name%" is not yet supported',
    help: 'without --strict its table stays with the kernel, which runs it as iptables does',
  },
  'removed-target': { severity: 'error', text: 'Linux no longer has the target "%name%"; %instead%' },
  'not-supported-here': { severity: 'error', text: '%what% cannot be run exactly in table %table%: %why%' },
  'stays-with-kernel': {
    severity: 'warning',
    text: "table %table% stays with the kernel's iptables: %why%",
  },
  'no-such-set': {
    severity: 'error',
    text: 'there is no set "%name%"',
    help: 'make it with ipset before the rules are applied',
  },
  'bad-combination': { severity: 'error', text: '%what%: %why%' },
  'wrong-table': { severity: 'error', text: '%what% may not be used in table %table%, only in: %allowed%' },
  'wrong-hook': {
    severity: 'error',
    text: '%what% may not be used in rules reached from %hooks%, only from: %allowed%',
  },
  'jump-to-built-in-chain': {
    severity: 'error',
    text: '"%chain%" is a built-in chain; rules can only go to user chains',
  },
  'jump-circle': {
    severity: 'error',
    text: 'jumps run in a circle: %path%',
    help: 'the kernel refuses such a table; take out one of the jumps',
  },

  // Whole policies on devices.
  'not-at-device': {
    severity: 'error',
    text: '%what% cannot be carried out at %hook%: %why%',
    help: 'rules at netfilter (`bpfilter apply` without --hook) can do it',
  },
  'no-device-chain': {
    severity: 'error',
    text: 'the rules have no chain %chain% in table %table%, which %hook% evaluates',
  },
  'differs-at-device': { severity: 'warning', text: '%what% at %hook%: %why%' },

  // Lines of a rule file.
  'unknown-table': { severity: 'error', text: 'there is no table "%table%"; tables are %known%' },
  'outside-table': {
    severity: 'error',
    text: 'this line stands outside a table',
    help: 'a table begins with a line such as "*filter" and ends with "COMMIT", both from the first column on',
  },
  'missing-commit': { severity: 'error', text: 'table %table% is not closed with COMMIT' },
  'missing-line-end': {
    severity: 'error',
    text: 'the last line must end with a line end, or COMMIT is not recognised',
  },
  'carriage-return': {
    severity: 'error',
    text: 'the line ends with a carriage return',
    help: 'the file has the line ends of another system; convert it to plain line feeds',
  },
  'bad-character': { severity: 'error', text: 'a NUL character cannot stand in a rule file' },
  'line-too-long': { severity: 'error', text: 'the line has %length% bytes; iptables-restore reads at most %limit%' },
  'word-too-long': { severity: 'error', text: 'the word has %length% bytes; iptables-restore reads at most %limit%' },
  'too-many-words': { severity: 'error', text: 'the line has %count% words; iptables-restore reads at most %limit%' },
  'unclosed-quote': { severity: 'error', text: 'this quote is never closed' },
  'bad-counters': { severity: 'error', text: '"%text%" is not a pair of counters such as [packets:bytes]' },

  // Chains.
  'bad-chain-name': { severity: 'error', text: '"%chain%" cannot name a chain: %why%' },
  'duplicate-chain': { severity: 'error', text: 'table %table% already has a chain "%chain%"' },
  'unknown-chain': {
    severity: 'error',
    text: 'table %table% has no chain "%chain%"',
    help: 'declare it before its first use, with a line such as ":%chain% - [0:0]"',
  },
  'missing-policy': { severity: 'error', text: 'chain "%chain%" needs a policy, or "-" for a user chain' },
  'bad-policy': { severity: 'error', text: '"%policy%" is not a policy; policies are ACCEPT and DROP' },
  'policy-on-user-chain': {
    severity: 'error',
    text: '"%chain%" is not a built-in chain of table %table% and cannot have a policy',
  },
  'built-in-chain': { severity: 'error', text: 'built-in chain "%chain%" cannot be %action%' },
  'chain-not-empty': { severity: 'error', text: 'chain "%chain%" cannot be deleted: it still has rules' },
  'chain-in-use': { severity: 'error', text: 'chain "%chain%" cannot be deleted: rules still go to it' },

  // Words of a rule.
  'no-command': { severity: 'error', text: 'the line has no command such as -A CHAIN' },
  'second-command': { severity: 'error', text: '%option% cannot stand beside %first%' },
  'not-a-change': { severity: 'error', text: '%option% does not belong in a rule file' },
  'option-not-with-command': { severity: 'error', text: '%option% cannot be used with %command%' },
  'table-option': {
    severity: 'error',
    text: 'the table cannot be named inside a rule',
    help: 'put the rule behind the line that opens its table, such as "*filter"',
  },
  'stray-word': { severity: 'error', text: '"%word%" is neither an option nor the value of one' },
  'double-negation': { severity: 'error', text: 'two "!" in a row' },
  'dangling-negation': { severity: 'error', text: 'nothing follows this "!"' },
  'cannot-invert': { severity: 'error', text: '"!" cannot stand before %option%' },
  'ambiguous-option': { severity: 'error', text: '"%option%" may be %candidates%' },
  'missing-value': { severity: 'error', text: '%option% needs a value' },
  'unexpected-value': { severity: 'error', text: '--%option% takes no value' },
  'repeated-option': { severity: 'error', text: '%option% can only be given once' },
  'bad-value': { severity: 'error', text: 'bad value for %option%: %why%' },
  'missing-option': { severity: 'error', text: '%what% needs the option --%option%' },
  'option-excludes': { severity: 'error', text: '--%option% cannot stand beside --%other%' },
  'option-requires': { severity: 'error', text: '--%option% also needs --%other%' },
  'protocol-required': { severity: 'error', text: '%what% needs %protocols%, not inverted' },
  'unknown-match': { severity: 'error', text: 'there is no match "%name%"' },
  'unknown-target': {
    severity: 'error',
    text: 'table %table% has no chain "%name%" and there is no target of that name',
  },
  'goto-not-a-chain': {
    severity: 'error',
    text: '"%name%" is not a user chain of table %table%; -g goes to chains only',
  },
  'wrong-family': { severity: 'error', text: '%what% does not exist for %family%' },

  // The ip part.
  'bad-address': { severity: 'error', text: '"%address%" is not an %family% address' },
  'host-name': {
    severity: 'error',
    text: '"%name%" is not an %family% address',
    help: 'names of hosts and networks are not resolved: the rules would mean something else whenever the answer changes',
  },
  'bad-mask': { severity: 'error', text: '"%mask%" is not an %family% mask' },
  'inverted-list': { severity: 'error', text: '"!" cannot stand before a list of addresses' },
  'bad-interface': { severity: 'error', text: '"%name%" cannot name an interface: %why%' },
  'bad-protocol': { severity: 'error', text: '"%protocol%" is not a protocol' },
  'protocol-never-matches': { severity: 'error', text: 'no packet can match an inverted "all"' },
  'interface-in-chain': { severity: 'error', text: '%option% cannot be used in chain %chain%' },
  'drop-in-nat': { severity: 'error', text: 'table nat is not for filtering; DROP cannot be used in its rules' },

  // Commands on rules.
  'bad-rule-number': { severity: 'error', text: '"%number%" is not a rule number' },
  'rule-number-range': { severity: 'error', text: 'chain "%chain%" has %count% rules; there is no place %number%' },
  'no-such-rule': { severity: 'error', text: 'chain "%chain%" has no rule like this one' },
  'several-addresses': {
    severity: 'error',
    text: 'a rule that replaces another can have only one source and one destination',
  },

  // Tables in the kernel's binary form.
  'bad-blob': { severity: 'error', text: '%where%: %why%' },
  'blob-not-expressible': { severity: 'error', text: '%where% cannot be written as a rule: %why%' },

  // Programs.
  'program-too-large': {
    severity: 'error',
    text: 'the rules that table %table% runs at %hook% make a program of %slots% instructions; the kernel loads at most %limit%',
    help: 'use fewer rules in this table, or spread them over tables',
  },
  'chains-too-deep': {
    severity: 'error',
    text: 'in table %table% at %hook%, chains that are called from several places nest %depth% deep; there is room for %room%',
  },
  'too-many-functions': {
    severity: 'error',
    text: 'the rules that table %table% runs at %hook% search packets in %count% different ways; a program has room for %room%',
  },
  'kernel-lacks-member': {
    severity: 'error',
    text: 'the rules of table %table% at %hook% read %member%, which the kernel (%release%) does not have',
  },
} as const satisfies Record<string, Entry>;

export type DiagnosticCode = keyof typeof CATALOGUE;
