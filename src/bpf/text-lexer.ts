/** Words of one line of assembler text, with their columns. */

/** What is wrong with assembler text, and where: 1-based line and column. */
export interface TextError {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Thrown inside the assembler to give up the current line; never leaves it. */
export class LineError extends Error {
  readonly column: number;
  constructor(column: number, message: string) {
    super(message);
    this.column = column;
  }
}

interface Token {
  readonly kind: 'word' | 'register' | 'number' | 'punctuation';
  readonly text: string;
  /** 1-based. */
  readonly column: number;
}

const PATTERNS = [
  ['register', /%?r\d+\b/y],
  ['number', /0[xX][0-9a-fA-F]+\b|\d+\b/y],
  ['word', /[A-Za-z_.$][\w.$]*/y],
  ['punctuation', /[[\],:+-]/y],
] as const;

/** A line being read from left to right. Every `take` throws a LineError at the place when something else stands there. */
export interface LineReader {
  /** 1-based column of the next token, or of the end of the line. */
  column(): number;
  atEnd(): boolean;
  /** The next token if it is a word, without taking it. */
  peekWord(): string | undefined;
  isNext(punctuation: string): boolean;
  nextIsRegister(): boolean;
  /** True when a number or the sign of one comes next. */
  nextIsNumber(): boolean;
  accept(punctuation: string): boolean;
  take(punctuation: string): void;
  word(what: string): string;
  register(): number;
  /** A number with optional sign. */
  number(min: bigint, max: bigint, what: string): bigint;
  end(): void;
}

/** Reads a line; text from `#` on is a comment. Throws a LineError for a character that begins no token. */
export function readLine(line: string): LineReader {
  const tokens = tokenise(line);
  let index = 0;
  const column = (): number => tokens[index]?.column ?? line.replace(/\s*(#.*)?$/, '').length + 1;
  const isNext = (text: string): boolean => tokens[index]?.kind === 'punctuation' && tokens[index]?.text === text;
  const fail = (what: string): never => {
    const found = tokens[index] === undefined ? 'the end of the line' : `"${tokens[index]!.text}"`;
    throw new LineError(column(), `expected ${what}, found ${found}`);
  };
  const takeKind = (kind: Token['kind'], what: string): string => {
    const token = tokens[index];
    if (token?.kind !== kind) return fail(what);
    index++;
    return token.text;
  };
  const accept = (text: string): boolean => {
    const found = isNext(text);
    if (found) index++;
    return found;
  };
  return {
    column,
    isNext,
    accept,
    atEnd: () => index >= tokens.length,
    peekWord: () => (tokens[index]?.kind === 'word' ? tokens[index]!.text : undefined),
    nextIsRegister: () => tokens[index]?.kind === 'register',
    nextIsNumber: () => isNext('-') || isNext('+') || tokens[index]?.kind === 'number',
    take: (text) => {
      if (!accept(text)) fail(`"${text}"`);
    },
    word: (what) => takeKind('word', what),
    register: () => {
      const at = column();
      const register = Number(takeKind('register', 'a register').replace(/^%?r/, ''));
      if (register > 10) throw new LineError(at, `there is no register r${register}, the last is r10`);
      return register;
    },
    number: (min, max, what) => {
      const at = column();
      const negative = accept('-');
      if (!negative) accept('+');
      const magnitude = BigInt(takeKind('number', what));
      const value = negative ? -magnitude : magnitude;
      if (value < min || value > max) throw new LineError(at, `${what} ${value} is out of range ${min}..${max}`);
      return value;
    },
    end: () => {
      if (index < tokens.length) fail('the end of the line');
    },
  };
}

function tokenise(line: string): Token[] {
  const text = line.replace(/#.*$/, '');
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const found = matchAt(text, at);
    if (found === undefined) throw new LineError(at + 1, `unexpected character ${JSON.stringify(text[at])}`);
    tokens.push({ ...found, column: at + 1 });
    at += found.text.length;
  }
  return tokens;
}

function matchAt(text: string, at: number): { kind: Token['kind']; text: string } | undefined {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) return { kind, text: match[0] };
  }
  return undefined;
}
