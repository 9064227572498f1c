/** The terminal while `bpfilter top` has it: another screen, keys one by one, and everything as it was afterwards. */

export interface Terminal {
  readonly size: { readonly columns: number; readonly rows: number };
  /** Draws over what was there. */
  draw(text: string): void;
  /** Gives the terminal back. */
  close(): void;
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const REST_OF_LINE = '\x1b[K';
const REST_OF_SCREEN = '\x1b[J';

export interface TerminalEvents {
  key(name: string): void;
  resized(): void;
}

/** Takes the terminal; undefined when there is none. */
export function openTerminal({ key, resized }: TerminalEvents): Terminal | undefined {
  const { stdin, stdout } = process;
  if (stdout.isTTY !== true) return undefined;
  const keys = stdin.isTTY === true;
  const onData = (data: Buffer): void => {
    for (const character of data.toString('latin1')) key(character);
  };
  stdout.write(ENTER);
  if (keys) {
    stdin.setRawMode(true);
    stdin.on('data', onData);
    stdin.resume();
  }
  stdout.on('resize', resized);
  return {
    get size() {
      return { columns: stdout.columns, rows: stdout.rows };
    },
    draw(text) {
      // The last line without its end: it would scroll.
      stdout.write(
        HOME + text.replace(/\n$/, '').replaceAll('\n', `${REST_OF_LINE}\r\n`) + REST_OF_LINE + REST_OF_SCREEN,
      );
    },
    close() {
      stdout.off('resize', resized);
      if (keys) {
        stdin.off('data', onData);
        stdin.setRawMode(false);
        stdin.pause();
      }
      stdout.write(LEAVE);
    },
  };
}
