/**
 * From a key to a bucket, in u32 arithmetic:
 *
 *     h = sum over the hash's dimensions of key[d] * multiplier       bucket = ((h ^ h >> 16) * FINAL) >> (32 - bits)
 */

export interface HashSpec {
  readonly dimensions: readonly number[];
  readonly multipliers: readonly number[];
  /** 2^bits buckets. */
  readonly bits: number;
}

export const HASH_FINAL = 0x85ebca6b;
const MULTIPLIERS = [0x9e3779b1, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1, 0xd3a2646d, 0xfd7046c5, 0xb55a4f09, 0x8f14ab43];

/** A hash over these dimensions with about two rows in each bucket. */
export function planHash(dimensions: readonly number[], rows: number): HashSpec {
  const bits = Math.min(24, Math.max(1, Math.ceil(Math.log2(Math.max(2, rows / 2)))));
  const multipliers = dimensions.map((_, i) => MULTIPLIERS[i % MULTIPLIERS.length]!);
  return Object.freeze({ dimensions, multipliers, bits });
}

/** The bucket of row `row` of the columns. */
export function bucketOf(hash: HashSpec, columns: readonly Uint32Array[], row: number): number {
  let sum = 0;
  for (let i = 0; i < hash.dimensions.length; i++) {
    sum = (sum + Math.imul(columns[hash.dimensions[i]!]![row]!, hash.multipliers[i]!)) | 0;
  }
  return finish(sum, hash.bits);
}

/** The bucket of a key. */
export function bucketOfKey(hash: HashSpec, key: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < hash.dimensions.length; i++) {
    sum = (sum + Math.imul(key[hash.dimensions[i]!]!, hash.multipliers[i]!)) | 0;
  }
  return finish(sum, hash.bits);
}

function finish(sum: number, bits: number): number {
  return Math.imul(sum ^ (sum >>> 16), HASH_FINAL) >>> (32 - bits);
}
