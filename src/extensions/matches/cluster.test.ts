import { describe, expect, it } from 'vitest';
import { type PrintCase, printed } from '../case-runner.ts';
import { cluster } from './cluster.ts';

describe('cluster', () => {
  it.each<PrintCase>([
    [
      '--cluster-total-nodes 32 --cluster-local-nodemask 0x60 --cluster-hash-seed 5',
      '--cluster-local-nodemask 0x00000060 --cluster-total-nodes 32 --cluster-hash-seed 0x00000005',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(cluster, text, context)).toBe(expected === '=' ? text : expected);
  });
});
