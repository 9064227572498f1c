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
    help: 'nothing was applied; remove the rule or keep this rule set with iptables until the match is supported',
  },
  'not-yet-supported-target': {
    severity: 'error',
    text: 'target "%name%" is not yet supported',
    help: 'nothing was applied; remove the rule or keep this rule set with iptables until the target is supported',
  },
  'not-supported-here': { severity: 'error', text: '%what% cannot be run exactly in table %table%: %why%' },
  'wrong-table': { severity: 'error', text: '%what% may not be used in table %table%, only in: %allowed%' },
  'wrong-hook': {
    severity: 'error',
    text: '%what% may not be used in rules reached from %hooks%, only from: %allowed%',
  },
  'jump-to-missing-chain': { severity: 'error', text: 'table %table% has no chain "%chain%"' },
  'jump-to-built-in-chain': {
    severity: 'error',
    text: '"%chain%" is a built-in chain; rules can only go to user chains',
  },
  'jump-circle': {
    severity: 'error',
    text: 'jumps run in a circle: %path%',
    help: 'the kernel refuses such a table; take out one of the jumps',
  },
} as const satisfies Record<string, Entry>;

export type DiagnosticCode = keyof typeof CATALOGUE;
