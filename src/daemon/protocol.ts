/**
 * What a program and the daemon say to each other, over a stream socket. Every message: u32 length (little endian) of what follows, u8 kind, body.
 * The program asks once; then it answers the daemon's questions until it is told the exit status.
 *
 *     program                          daemon
 *     request (JSON)          ->
 *                             <-       question (JSON): read a file, standard input, write a file
 *     answer                  ->
 *                             <-       begin: rules are about to change
 *                             <-       out, err: bytes for its streams
 *                             <-       exit: u8                       or   decline (why): do it without me
 */

/** Goes up when messages change their meaning. The versions of both packages must be equal besides. */
export const PROTOCOL = 1;

export const KIND = {
  request: 1,
  answer: 2,
  question: 3,
  begin: 4,
  out: 5,
  err: 6,
  exit: 7,
  decline: 8,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

export const DEFAULT_SOCKET = '/run/bpfilter/bpfilterd.sock';
/** The longest message; a rule set of a million rules is shorter. */
export const LONGEST = 1 << 28;

export interface Request {
  readonly protocol: number;
  readonly version: string;
  /** `iptables`, `ip6tables-save`, ... or `bpfilter`. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** XTABLES_LOCKFILE; empty: not set. */
  readonly lockFile: string;
  /** Device and inode of the directory of the lock: both sides must mean the same one. */
  readonly lockFolder: string;
  /** Minutes that local time is behind UTC. */
  readonly timeOffset: number;
}

export type Question =
  | { readonly kind: 'read'; readonly path: string }
  | { readonly kind: 'input' }
  | { readonly kind: 'write'; readonly path: string; readonly text: string };

/** First byte of an answer: done, the rest is what was read; or failed, the rest is a Failure as JSON. */
export const ANSWER = { done: 0, failed: 1 } as const;

/** Why the program could not read or write a file, as Node says it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

const HEAD = 5;

export function message(kind: Kind, body: Uint8Array | string = ''): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  const head = Buffer.alloc(HEAD);
  head.writeUInt32LE(bytes.length + 1, 0);
  head[4] = kind;
  return Buffer.concat([head, bytes]);
}

export interface Message {
  readonly kind: number;
  readonly body: Buffer;
}

/** Puts the pieces of a stream together. @throws Error for a message that is too long */
export function messageReader(): (piece: Buffer) => readonly Message[] {
  let pieces: Buffer[] = [];
  let held = 0;
  return (piece) => {
    pieces.push(piece);
    held += piece.length;
    const found: Message[] = [];
    for (;;) {
      const first = pieces[0];
      if (first === undefined || held < HEAD) return found;
      if (first.length < HEAD) pieces = [Buffer.concat(pieces)];
      const length = pieces[0]!.readUInt32LE(0);
      if (length === 0 || length > LONGEST) throw new Error('a message of a length that none has');
      if (held < 4 + length) return found;
      const all = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      found.push({ kind: all[4]!, body: all.subarray(HEAD, 4 + length) });
      const rest = all.subarray(4 + length);
      pieces = rest.length === 0 ? [] : [rest];
      held = rest.length;
    }
  };
}
