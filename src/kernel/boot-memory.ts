/**
 * What stays true until the machine boots again, kept in a file from one process to the next: asking the kernel for it takes longer than a
 * small change of rules.
 */

import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** Bits of a mode: others than the owner may write. */
const OTHERS_WRITE = 0o022;

interface Kept {
  readonly boot: string;
  /** By question. */
  readonly answers?: Readonly<Record<string, unknown>>;
}

/** With so many answers a file begins anew: it has those of other versions in it. */
const MOST = 256;

/** Where answers about the kernel are kept. */
export const KERNEL_ANSWERS = '/run/bpfilter/kernel-answers.json';

/**
 * The answer to `question` in the file `path`, or that of `ask`, which is written there if it holds until the next boot (`lasting`).
 * Answers are plain JSON. Only root's own files are believed, and only root writes them; what cannot be read or written is done without.
 */
export function rememberedForBoot<T>(
  path: string,
  question: string,
  ask: () => { readonly answer: T; readonly lasting: boolean },
): T {
  const boot = process.getuid?.() === 0 ? bootId() : undefined;
  if (boot === undefined) return ask().answer;
  const kept = read(path);
  const known = kept?.boot === boot ? (kept.answers ?? {}) : {};
  if (Object.hasOwn(known, question)) return known[question] as T;
  const { answer, lasting } = ask();
  const others = Object.keys(known).length < MOST ? known : {};
  if (lasting) write(path, { boot, answers: { ...others, [question]: answer } });
  return answer;
}

function bootId(): string | undefined {
  try {
    return readFileSync(BOOT_ID, 'latin1').trim();
  } catch {
    return undefined;
  }
}

function read(path: string): Kept | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const about = fstatSync(fd);
      if (!about.isFile() || about.uid !== 0 || (about.mode & OTHERS_WRITE) !== 0) return undefined;
      return JSON.parse(readFileSync(fd, 'utf8')) as Kept;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

function write(path: string, kept: Kept): void {
  const own = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(own, JSON.stringify(kept), { mode: 0o600, flag: 'wx' });
    renameSync(own, path);
  } catch {
    removeQuietly(own);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The folder is none.
  }
}
