import { describe, expect, it } from 'vitest';
import { lowers, type PrintCase, printed } from '../case-runner.ts';
import { cluster } from './cluster.ts';

describe('cluster', () => {
  it.each<PrintCase>([
    [
      '--cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0xdead',
      '--cluster-local-nodemask 0x00000001 --cluster-total-nodes 2 --cluster-hash-seed 0x0000dead',
    ],
    [
      '--cluster-total-nodes 2 ! --cluster-local-node 1 --cluster-hash-seed 5',
      '! --cluster-local-nodemask 0x00000001 --cluster-total-nodes 2 --cluster-hash-seed 0x00000005',
    ],
    [
      '--cluster-total-nodes 2 --cluster-local-nodemask 3 --cluster-hash-seed 5',
      '--cluster-local-nodemask 0x00000003 --cluster-total-nodes 2 --cluster-hash-seed 0x00000005',
    ],
    [
      '--cluster-total-nodes 4 ! --cluster-local-nodemask 1 --cluster-hash-seed 5',
      '! --cluster-local-nodemask 0x00000001 --cluster-total-nodes 4 --cluster-hash-seed 0x00000005',
    ],
    ['--cluster-total-nodes 4 --cluster-local-nodemask 16 --cluster-hash-seed 5', 'refused'],
    ['--cluster-total-nodes 4 --cluster-local-nodemask 1 --cluster-local-node 1 --cluster-hash-seed 5', 'refused'],
    ['--cluster-total-nodes 4 --cluster-local-nodemask 0 --cluster-hash-seed 5', 'refused'],
    ['--cluster-total-nodes 33 --cluster-local-node 1 --cluster-hash-seed 5', 'refused'],
    ['--cluster-total-nodes 32 --cluster-local-node 33 --cluster-hash-seed 5', 'refused'],
    ['--cluster-total-nodes 3 --cluster-local-node 4 --cluster-hash-seed 5', 'refused'],
    [
      '--cluster-total-nodes 1 --cluster-local-node 1 --cluster-hash-seed 5',
      '--cluster-local-nodemask 0x00000001 --cluster-total-nodes 1 --cluster-hash-seed 0x00000005',
    ],
    ['--cluster-total-nodes 0 --cluster-local-node 1 --cluster-hash-seed 5', 'refused'],
    ['--cluster-total-nodes 2 --cluster-local-node 0 --cluster-hash-seed 5', 'refused'],
    ['--cluster-total-nodes 2 --cluster-local-node 1', 'refused'],
    ['--cluster-total-nodes 2 --cluster-hash-seed 3', 'refused'],
    ['--cluster-local-node 1 --cluster-hash-seed 3', 'refused'],
    ['--cluster-total-nodes 2 --cluster-local-node 2 --cluster-hash-seed 4294967296', 'refused'],
    [
      '--cluster-total-nodes 32 --cluster-local-node 7 --cluster-hash-seed 5',
      '--cluster-local-node 7 --cluster-total-nodes 32 --cluster-hash-seed 0x00000005',
    ],
    [
      '--cluster-total-nodes 32 --cluster-local-nodemask 0x60 --cluster-hash-seed 5',
      '--cluster-local-nodemask 0x00000060 --cluster-total-nodes 32 --cluster-hash-seed 0x00000005',
    ],
  ])('%s', (text, expected, context) => {
    expect(printed(cluster, text, context)).toBe(expected === '=' ? text : expected);
  });
});

describe('conditions', () => {
  it('--cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0x1', () => {
    expect(
      lowers(cluster, '--cluster-total-nodes 2 --cluster-local-node 1 --cluster-hash-seed 0x1'),
    ).toMatchInlineSnapshot(`
      [
        "staged 0",
      ]
    `);
  });
});
