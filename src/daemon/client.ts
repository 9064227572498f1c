/**
 * The small end: asks the daemon to do what the program was called for. It runs before anything else of bpfilter is loaded, so it loads next to
 * nothing, and is compiled a second time as a CommonJS module, which Node starts sooner. Where there is no daemon, or another version, or it declines, nothing has happened and the program does its work itself.
 */

import { readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import {
  ANSWER,
  DEFAULT_SOCKET,
  KIND,
  type Message,
  message,
  messageReader,
  PROTOCOL,
  type Question,
  type Request,
} from './protocol.ts';

/** The status when the daemon ended in the middle of a change, as for a lock that others hold: look, and try again. */
const INTERRUPTED = 4;
const DEFAULT_LOCK = '/run/xtables.lock';

/**
 * The exit status of `program` (of the package of `manifest`, a package.json), carried out by the daemon and written to this process's streams; undefined: do it without.
 * BPFILTER_DAEMON=no: nobody is asked; BPFILTER_SOCKET: where the daemon listens; BPFILTER_DEBUG: says why it was not the daemon.
 */
export function askDaemon(program: string, argv: readonly string[], manifest: string): Promise<number | undefined> {
  const { BPFILTER_DAEMON: wanted, BPFILTER_SOCKET: path = DEFAULT_SOCKET, BPFILTER_DEBUG: debug = '' } = process.env;
  if (wanted === 'no') return Promise.resolve(undefined);
  return new Promise((resolve) => {
    let begun = false;
    let ended = false;
    const end = (status: number | undefined, why = ''): void => {
      if (ended) return;
      ended = true;
      socket.destroy();
      if (status === undefined && debug !== '') writeAll(2, Buffer.from(`${program}: without the daemon: ${why}\n`));
      resolve(status);
    };
    const gone = (why: string): void => {
      if (!begun || ended) {
        end(undefined, why);
        return;
      }
      const text = `${program}: the daemon ended while it changed the rules: the old or the new ones are in force, as a whole\n`;
      writeAll(2, Buffer.from(text));
      end(INTERRUPTED);
    };
    const take = ({ kind, body }: Message): void => {
      switch (kind) {
        case KIND.question:
          socket.write(answerTo(JSON.parse(body.toString('utf8')) as Question));
          break;
        case KIND.begin:
          begun = true;
          break;
        case KIND.out:
          writeAll(1, body);
          break;
        case KIND.err:
          writeAll(2, body);
          break;
        case KIND.exit:
          end(body[0] ?? 1);
          break;
        default:
          gone(body.toString('utf8'));
      }
    };
    const read = messageReader();
    const socket = connect(path);
    socket.on('error', (error) => gone(error.message));
    socket.on('close', () => gone('it closed the connection'));
    socket.on('data', (piece) => {
      for (const one of read(piece)) if (!ended) take(one);
    });
    socket.write(message(KIND.request, JSON.stringify(requestOf(program, argv, manifest))));
  });
}

function requestOf(program: string, argv: readonly string[], manifest: string): Request {
  const lockFile = process.env['XTABLES_LOCKFILE'] ?? '';
  return {
    protocol: PROTOCOL,
    version: packageVersion(manifest),
    program,
    argv,
    cwd: process.cwd(),
    lockFile,
    lockFolder: folderIdentity(lockFile === '' ? DEFAULT_LOCK : lockFile),
    // Finding out the time zone takes a while, and only saves have dates.
    timeOffset: program.endsWith('save') ? new Date().getTimezoneOffset() : 0,
  };
}

/** Device and inode of the directory that a file is in; empty: there is none. */
export function folderIdentity(path: string): string {
  const slash = path.lastIndexOf('/');
  try {
    const { dev, ino } = statSync(slash < 0 ? '.' : path.slice(0, slash + 1));
    return `${dev} ${ino}`;
  } catch {
    return '';
  }
}

/** The version of the package whose package.json this is. */
export function packageVersion(manifest: string | URL): string {
  const text = readFileSync(manifest, 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function answerTo(question: Question): Buffer {
  try {
    switch (question.kind) {
      case 'read':
        return answer(ANSWER.done, readFileSync(question.path));
      case 'input':
        return answer(ANSWER.done, readFileSync(0));
      case 'write':
        writeFileSync(question.path, question.text);
        return answer(ANSWER.done, Buffer.alloc(0));
    }
  } catch (error) {
    const { code = 'EIO', message: text } = error as NodeJS.ErrnoException;
    return answer(ANSWER.failed, Buffer.from(JSON.stringify({ code, message: text })));
  }
}

function answer(outcome: number, bytes: Uint8Array): Buffer {
  return message(KIND.answer, Buffer.concat([Uint8Array.of(outcome), bytes]));
}

/** Writes everything, also to a pipe that somebody else has made non-blocking; a reader that went away ends it. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
