/**
 * Where commands write. A reader that went away (`bpfilter list | head`) ends the writing, never the work: an `apply`
 * whose table nobody reads any more still applies.
 */
export interface Output {
  /** Text for the user's next program or eyes; the caller ends its lines. */
  out(text: string): void;
  /** Diagnostics and messages, one or more whole lines without the last line end. */
  err(text: string): void;
  /** True once nobody reads `out` any more. */
  readonly closed: boolean;
  /** Whether `out` is a terminal that may get colours (NO_COLOR and isatty). */
  readonly colour: boolean;
}

/** The process's own streams. */
export function processOutput(): Output {
  let closed = false;
  const guard = (stream: NodeJS.WriteStream, whenGone: () => void): void => {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
      whenGone();
    });
  };
  guard(process.stdout, () => {
    closed = true;
  });
  guard(process.stderr, () => {});
  return {
    out: (text) => {
      if (!closed && text !== '') process.stdout.write(text);
    },
    err: (text) => {
      process.stderr.write(`${text}\n`);
    },
    get closed() {
      return closed;
    },
    colour: process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '',
  };
}

/** Collects what is written; for tests and for callers that want the text. */
export function collectedOutput(): Output & { readonly stdout: () => string; readonly stderr: () => string } {
  const out: string[] = [];
  const err: string[] = [];
  return {
    out: (text) => void out.push(text),
    err: (text) => void err.push(`${text}\n`),
    closed: false,
    colour: false,
    stdout: () => out.join(''),
    stderr: () => err.join(''),
  };
}
