/** What a command needs of the process that asks for it: its files, its standard input, its lock, its clock. */

import { readFileSync, writeFileSync } from 'node:fs';

export interface Host {
  /** The text of a file. @throws as fs.readFileSync */
  readFile(path: string): string;
  /** All of standard input. */
  readInput(): string;
  /** @throws as fs.writeFileSync */
  writeFile(path: string, text: string): void;
  /** XTABLES_LOCKFILE; empty: not set. */
  readonly lockFile: string;
  /** The network namespace to work in, as a path; undefined: the one of the process that runs the command. */
  readonly netns: string | undefined;
  /** Local time, in fields as if it were UTC. */
  now(): Date;
  /** The process that runs the command has other things to do while the command waits. */
  readonly shared: boolean;
  /** Called once, right before rules change. */
  begin(): void;
}

/** Thrown by a host that must ask its process first: whoever catches it gets the answer and runs the command again. */
export class HostQuestion extends Error {
  override readonly name = 'HostQuestion';
}

/** The process itself. */
export const ownHost: Host = {
  readFile: (path) => readFileSync(path, 'utf8'),
  readInput: () => readFileSync(0, 'utf8'),
  writeFile: (path, text) => writeFileSync(path, text),
  get lockFile() {
    return process.env['XTABLES_LOCKFILE'] ?? '';
  },
  netns: undefined,
  shared: false,
  now: () => localTime(new Date(), new Date().getTimezoneOffset()),
  begin: () => {},
};

/** `offset`: minutes that local time is behind UTC, as Date tells it. */
export function localTime(date: Date, offset: number): Date {
  return new Date(date.getTime() - offset * 60_000);
}
