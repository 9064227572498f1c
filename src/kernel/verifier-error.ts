/**
 * A program that the kernel's verifier refused, with everything it said.
 */
export class VerifierError extends Error {
  override readonly name: string = 'VerifierError';
  /** The program's name. */
  readonly program: string;
  readonly errno: number;
  /** All lines of the log, without empty ones. */
  readonly lines: readonly string[];

  constructor(program: string, errno: number, log: string) {
    const lines = log.split('\n').filter((line) => line.trim() !== '');
    super(`the kernel's verifier refused program ${program}: ${summarize(lines)}`);
    this.program = program;
    this.errno = errno;
    this.lines = lines;
  }
}

/** Lines that tell nothing of the fault: statistics at the end of every log. */
const NOISE = /^(processed \d+ insns|verification time |stack depth |func#\d)/;

/** The last useful lines in one: the last that is not a statistic, the instruction or state before it, and how many others. */
export function summarize(lines: readonly string[]): string {
  const useful = lines.filter((line) => !NOISE.test(line));
  const shown = useful.slice(-2);
  if (shown.length === 0) return lines.length === 0 ? 'without a word' : lines.join(': ');
  const omitted = lines.length - shown.length;
  const text = shown.map((line) => line.trim()).join(': ');
  return omitted === 0 ? text : `${text} (${omitted} ${omitted === 1 ? 'line' : 'lines'} omitted)`;
}
