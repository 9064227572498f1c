/** The options that every rule line knows, before any match or target adds its own (original_opts of iptables.c). */

/** How an option takes its value. `optional`: only attached (`-F` and `-FINPUT`; `-F INPUT` is read by the command). */
export type Argument = 'none' | 'required' | 'optional';

/** An option by the letter that iptables knows it by. */
export interface BaseOption {
  readonly letter: string;
  readonly argument: Argument;
}

const SHORT = {
  A: 'required',
  C: 'required',
  D: 'required',
  E: 'required',
  F: 'optional',
  I: 'required',
  L: 'optional',
  M: 'required',
  N: 'required',
  P: 'required',
  R: 'required',
  S: 'optional',
  V: 'none',
  W: 'optional',
  X: 'optional',
  Z: 'optional',
  c: 'required',
  d: 'required',
  f: 'none',
  g: 'required',
  h: 'optional',
  i: 'required',
  j: 'required',
  m: 'required',
  n: 'none',
  o: 'required',
  p: 'required',
  s: 'required',
  t: 'required',
  v: 'none',
  w: 'optional',
  x: 'none',
  '4': 'none',
  '6': 'none',
} as const satisfies Record<string, Argument>;

const LONG = {
  append: 'A',
  delete: 'D',
  check: 'C',
  insert: 'I',
  replace: 'R',
  list: 'L',
  'list-rules': 'S',
  flush: 'F',
  zero: 'Z',
  'new-chain': 'N',
  'delete-chain': 'X',
  'rename-chain': 'E',
  policy: 'P',
  source: 's',
  destination: 'd',
  src: 's',
  dst: 'd',
  protocol: 'p',
  'in-interface': 'i',
  jump: 'j',
  table: 't',
  match: 'm',
  numeric: 'n',
  'out-interface': 'o',
  verbose: 'v',
  wait: 'w',
  'wait-interval': 'W',
  exact: 'x',
  fragments: 'f',
  version: 'V',
  help: 'h',
  'line-numbers': '0',
  modprobe: 'M',
  'set-counters': 'c',
  goto: 'g',
  ipv4: '4',
  ipv6: '6',
} as const satisfies Record<string, keyof typeof SHORT | '0'>;

const shortOptions = new Map<string, BaseOption>(
  Object.entries(SHORT).map(([letter, argument]) => [letter, Object.freeze({ letter, argument })]),
);
const lineNumbers: BaseOption = Object.freeze({ letter: '0', argument: 'none' });

/** `-X`. */
export function shortOption(letter: string): BaseOption | undefined {
  return shortOptions.get(letter);
}

/** `--name`, every name written out. */
export const LONG_OPTIONS: ReadonlyMap<string, BaseOption> = new Map(
  Object.entries(LONG).map(([name, letter]) => [name, shortOptions.get(letter) ?? lineNumbers]),
);
