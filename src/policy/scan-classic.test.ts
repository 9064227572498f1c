import { expect, it } from 'vitest';
import { type ClassicStep, runsOnBytes, scanClassic } from './scan-classic.ts';

const PACKET = Uint8Array.of(0x45, 1, 2, 3, 4, 5, 6, 7);
const A: ClassicStep = [0x16, 0, 0, 0];

it.each<[string, readonly ClassicStep[], 'yes' | 'no']>([
  [
    'a byte',
    [
      [0x30, 0, 0, 7],
      [0x15, 0, 1, 7],
      [6, 0, 0, 1],
      [6, 0, 0, 0],
    ],
    'yes',
  ],
  [
    'a word in network order',
    [
      [0x20, 0, 0, 4],
      [0x15, 0, 1, 0x04050607],
      [6, 0, 0, 1],
      [6, 0, 0, 0],
    ],
    'yes',
  ],
  [
    'a load behind the end',
    [
      [0x28, 0, 0, 7],
      [6, 0, 0, 1],
    ],
    'no',
  ],
  [
    'a load behind x',
    [
      [0xb1, 0, 0, 0],
      [0x50, 0, 0, 0],
      [6, 0, 0, 1],
    ],
    'no',
  ],
  [
    'x from the header length',
    [
      [0xb1, 0, 0, 0],
      [0x87, 0, 0, 0],
      [0x15, 0, 1, 20],
      [6, 0, 0, 1],
      [6, 0, 0, 0],
    ],
    'yes',
  ],
  [
    'a negative place',
    [
      [1, 0, 0, 2],
      [0x50, 0, 0, 0xfffffffd],
      [6, 0, 0, 1],
    ],
    'no',
  ],
  [
    'a division by x, which is 0',
    [
      [0x80, 0, 0, 0],
      [0x3c, 0, 0, 0],
      [6, 0, 0, 1],
    ],
    'no',
  ],
  ['a product of 32 bits', [[0, 0, 0, 0x10000], [0x24, 0, 0, 0x10000], A], 'no'],
  [
    'a difference below 0',
    [
      [0x14, 0, 0, 1],
      [0x25, 0, 1, 0x7fffffff],
      [6, 0, 0, 1],
      [6, 0, 0, 0],
    ],
    'yes',
  ],
])('%s', (_, program, expected) => {
  expect(scanClassic({ kind: 'classic', program }, PACKET)).toBe(expected);
});

it.each<[string, readonly ClassicStep[], boolean]>([
  ['a plain load', [[0x30, 0, 0, 9], A], true],
  ['the protocol of the sk_buff', [[0x28, 0, 0, 0xfffff000], A], false],
  ['behind the header', [[0xb1, 0, 0, 0], [0x48, 0, 0, 2], A], true],
  ['x from a whole word, which could be anything', [[0x20, 0, 0, 4], [7, 0, 0, 0], [0x50, 0, 0, 0], A], false],
  [
    'x from a word without its upper bits',
    [[0x20, 0, 0, 4], [0x54, 0, 0, 255], [7, 0, 0, 0], [0x50, 0, 0, 0], A],
    true,
  ],
  ['x from memory', [[0x20, 0, 0, 4], [2, 0, 0, 1], [0x61, 0, 0, 1], [0x50, 0, 0, 0], A], false],
  [
    'both ways to a load count',
    [[0x30, 0, 0, 0], [0x15, 1, 0, 1], [0, 0, 0, 0xffffffff], [7, 0, 0, 0], [0x50, 0, 0, 1], A],
    false,
  ],
])('%s: %#', (_, program, expected) => {
  expect(runsOnBytes(program)).toBe(expected);
});
