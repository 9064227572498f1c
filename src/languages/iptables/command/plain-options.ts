/** getopt_long for the programs whose options never change: iptables-save and iptables-restore. */

export interface PlainOption {
  readonly long: string | undefined;
  readonly letter: string;
  /** `optional`: of the long form only, and attached with `=`. */
  readonly argument: 'none' | 'required' | 'optional';
}

export interface GivenOption {
  readonly letter: string;
  readonly value?: string;
}

export interface PlainOptions {
  readonly given: readonly GivenOption[];
  readonly operands: readonly string[];
  /** What getopt says of an option that it does not know; what stood before it was read. */
  readonly unknown?: string;
}

/** `takesNext`: letters whose value may also be the next word, if that does not look like an option. */
export function readOptions(
  argv: readonly string[],
  table: readonly PlainOption[],
  program: string,
  takesNext = '',
): PlainOptions {
  const given: GivenOption[] = [];
  const operands: string[] = [];
  const words = [...argv];
  const stop = (unknown: string): PlainOptions => ({ given, operands, unknown: `${program}: ${unknown}` });
  const push = (letter: string, value: string | undefined): void => {
    const next = words[0];
    const taken =
      value ?? (takesNext.includes(letter) && next !== undefined && !/^[-!]/.test(next) ? words.shift() : undefined);
    given.push(taken === undefined ? { letter } : { letter, value: taken });
  };
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--') {
      operands.push(...words.splice(0));
    } else if (word.startsWith('--')) {
      const [name = '', ...rest] = word.slice(2).split('=');
      const value = rest.length === 0 ? undefined : rest.join('=');
      const exact = table.filter((option) => option.long === name);
      const found = exact.length > 0 ? exact : table.filter((option) => option.long?.startsWith(name) === true);
      const [option] = found;
      if (option === undefined) return stop(`unrecognized option '${word}'`);
      if (found.length > 1) {
        return stop(
          `option '${word}' is ambiguous; possibilities:${found.map((item) => ` '--${item.long}'`).join('')}`,
        );
      }
      if (option.argument === 'none' && value !== undefined) {
        return stop(`option '--${option.long}' doesn't allow an argument`);
      }
      const taken = value ?? (option.argument === 'required' ? words.shift() : undefined);
      if (option.argument === 'required' && taken === undefined) {
        return stop(`option '--${option.long}' requires an argument`);
      }
      push(option.letter, taken);
    } else if (word.startsWith('-') && word !== '-') {
      for (let at = 1; at < word.length; at++) {
        const letter = word[at] ?? '';
        const option = table.find((item) => item.letter === letter);
        if (option === undefined) return stop(`invalid option -- '${letter}'`);
        if (option.argument !== 'required') {
          push(letter, undefined);
          continue;
        }
        const rest = word.slice(at + 1);
        const value = rest === '' ? words.shift() : rest;
        if (value === undefined) return stop(`option requires an argument -- '${letter}'`);
        push(letter, value);
        break;
      }
    } else {
      operands.push(word);
    }
  }
  return { given, operands };
}
