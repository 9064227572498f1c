/** How a command of the iptables family ends early: what it writes to standard error and its exit status. */

/** What messages call the program. */
export interface Program {
  /** `iptables`, `ip6tables-restore` ... */
  readonly name: string;
  /** `1.8.9 (bpfilter)`: the release whose behaviour this is, and whose rules these are. */
  readonly version: string;
  /** The line of a restore file that is being read, from 1; undefined on a command line. */
  readonly line?: number | undefined;
}

/** Exit statuses (enum xtables_exittype). */
export const STATUS = {
  done: 0,
  other: 1,
  parameter: 2,
  version: 3,
  resource: 4,
} as const;

/** Thrown where iptables would exit. `text` is complete, every line ended. */
export class Stop extends Error {
  override readonly name = 'Stop';
  readonly status: number;
  readonly text: string;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
    this.text = text;
  }
}

/** Something is wrong with the arguments (PARAMETER_PROBLEM): the message, where, and where to find help. */
export function badParameter(program: Program, message: string): Stop {
  return new Stop(STATUS.parameter, `${program.name} v${program.version}: ${message}\n${tryHelp(program)}`);
}

/** The hint behind messages about arguments (xtables_exit_tryhelp). */
export function tryHelp({ name, line }: Program): string {
  const where = line === undefined ? '' : `Error occurred at line: ${line}\n`;
  return `${where}Try \`${name} -h' or '${name} --help' for more information.\n`;
}

/** Anything else that ends the program at once (OTHER_PROBLEM, VERSION_PROBLEM). */
export function problem(program: Program, status: number, message: string): Stop {
  const upgrade =
    status === STATUS.version
      ? `Perhaps ${program.name.replace(/-.*/, '')} or your kernel needs to be upgraded.\n`
      : '';
  return new Stop(status, `${program.name} v${program.version}: ${message}\n${upgrade}`);
}
