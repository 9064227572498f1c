/** What the rules of a run ask, by field. */
import type { FieldName } from '../policy/fields.ts';

export type Questions = Map<FieldName, Question[]>;

export interface Question {
  readonly field: FieldName;
  readonly mask: bigint | undefined;
  readonly boundaries: Set<bigint>;
  uses: number;
  /** Words of a wide field that some range does not leave open. */
  words: number;
}

/** Many boundaries are all alike: from here on, about, only their number matters. */
export const MOST_BOUNDARIES = 64;
