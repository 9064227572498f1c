import { describe, expect, it } from 'vitest';
import type { Question } from '../policy/question.ts';
import { askedQuestion } from './asked-question.ts';

/** What strace shows of iptables 1.8.9 handing over the same matches. */
const STRUCTURES: readonly (readonly [words: string, question: Question, hex: string])[] = [
  [
    '-p tcp -m osf --genre Linux --ttl 1',
    { kind: 'osf', genre: 'Linux', invert: false, ttl: 1 },
    `4c696e7578${'0'.repeat(54)}05000000020000000000000001000000`,
  ],
  [
    '-p tcp -m osf ! --genre Windows',
    { kind: 'osf', genre: 'Windows', invert: true },
    `57696e646f7773${'0'.repeat(50)}07000000080000000000000000000000`,
  ],
  ['-m socket --transparent --nowildcard', { kind: 'socket', transparent: true, nowildcard: true }, '0300000000000000'],
];

describe('questions as structures of the kernel', () => {
  it.each(STRUCTURES)('%s', (_, question, hex) => {
    expect(Buffer.from(askedQuestion(question).expression ?? []).toString('hex')).toContain(hex);
  });
});
