/** What is wrong with a blob. */

import { type Diagnostic, diagnostic } from '../diagnostics/diagnostic.ts';

/** The error that the kernel answers REPLACE with; `unsupported`: the kernel may take it, but the rule model cannot say it. */
export type BlobErrno = 'EINVAL' | 'ELOOP' | 'ENOENT' | 'EPROTOTYPE' | 'ENOMEM' | 'unsupported';

export interface BlobProblem {
  readonly errno: BlobErrno;
  readonly diagnostic: Diagnostic;
}

/** Ends the reading of a blob; never leaves this folder. */
export class BlobError extends Error {
  override readonly name = 'BlobError';
  readonly problem: BlobProblem;

  constructor(problem: BlobProblem) {
    super(problem.diagnostic.message);
    this.problem = problem;
  }
}

export function blobError(errno: BlobErrno, where: string, why: string): BlobError {
  const code = errno === 'unsupported' ? 'blob-not-expressible' : 'bad-blob';
  return new BlobError({ errno, diagnostic: diagnostic(code, undefined, { where, why }) });
}
