/**
 * The host of a command that runs in the daemon for another process: files are that process's own, read and written by it. A command cannot
 * wait in the middle of a change, so the first time it needs a file it is given up, the process is asked, and the command runs again.
 */

import { isAbsolute } from 'node:path';
import { type Host, HostQuestion, localTime } from '../commands/host.ts';
import type { Failure, Question, Request } from './protocol.ts';

export type Answer = { readonly text: string } | Failure;

/** What is to be asked before the command can go on. */
export class Unanswered extends HostQuestion {
  readonly question: Question;

  constructor(question: Question) {
    super('the process must be asked');
    this.question = question;
  }
}

export interface AskingHost extends Host {
  /** Remembers what the process said. */
  answered(question: Question, answer: Answer): void;
}

export function askingHost(
  { cwd, lockFile, timeOffset }: Pick<Request, 'cwd' | 'lockFile' | 'timeOffset'>,
  netns: string,
  begin: () => void,
): AskingHost {
  const answers = new Map<string, Answer>();
  const keyOf = (question: Question): string =>
    question.kind === 'input' ? 'input' : `${question.kind} ${question.path}`;
  const ask = (question: Question): string => {
    const answer = answers.get(keyOf(question));
    if (answer === undefined) throw new Unanswered(question);
    if ('text' in answer) return answer.text;
    throw Object.assign(new Error(answer.message), { code: answer.code });
  };
  return {
    readFile: (path) => ask({ kind: 'read', path }),
    readInput: () => ask({ kind: 'input' }),
    writeFile: (path, text) => {
      ask({ kind: 'write', path, text });
    },
    lockFile: lockFile === '' || isAbsolute(lockFile) ? lockFile : `${cwd}/${lockFile}`,
    netns,
    shared: true,
    now: () => localTime(new Date(), timeOffset),
    begin,
    answered: (question, answer) => void answers.set(keyOf(question), answer),
  };
}
