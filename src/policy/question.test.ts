import { describe, expect, it } from 'vitest';
import { evaluateExpr } from './evaluate.ts';
import { all, any, equals, not } from './expr.ts';
import { packetView } from './packet-view.ts';
import { addQuestion, answeredYes, answersIn, MAX_QUESTIONS, type Question } from './question.ts';

function set(name: string): Question {
  return { kind: 'set', name, sides: ['src'], returnNomatch: false };
}

describe('questions', () => {
  it('equal ones are asked once', () => {
    const list: Question[] = [];
    expect([set('a'), set('b'), set('a')].map((question) => addQuestion(list, question))).toEqual([0, 1, 0]);
    const counted: Question = { ...set('a'), kind: 'set', packets: { how: 'eq', value: 5n } } as Question;
    expect(addQuestion(list, counted)).toBe(2);
    expect(list).toHaveLength(3);
  });

  it(`there are ${MAX_QUESTIONS} at most`, () => {
    const list: Question[] = [];
    const numbers = Array.from({ length: MAX_QUESTIONS + 2 }, (_, at) => addQuestion(list, set(`s${at}`)));
    expect(numbers.slice(-3)).toEqual([MAX_QUESTIONS - 1, undefined, undefined]);
    expect(addQuestion(list, set('s7'))).toBe(7);
    expect(() => answeredYes(MAX_QUESTIONS)).toThrow(RangeError);
  });

  it.each([0, 1, 63, 64, 100, 127, 128, 255])('answer %i is one bit', (number) => {
    const view = (answers: bigint) => packetView({ family: 'ipv4', bytes: new Uint8Array(20), answers });
    const bit = 1n << BigInt(number);
    const everything = (1n << BigInt(MAX_QUESTIONS)) - 1n;
    expect(evaluateExpr(answeredYes(number), view(bit))).toBe(true);
    expect(evaluateExpr(answeredYes(number), view(everything ^ bit))).toBe(false);
    expect(evaluateExpr(not(answeredYes(number)), view(0n))).toBe(true);
    expect(answersIn(answeredYes(number))).toEqual([number]);
  });

  it('finds the answers that an expression looks at', () => {
    const expr = all(equals('ip.ttl', 3), any(answeredYes(70), not(answeredYes(2))));
    expect([...answersIn(expr)].sort((a, b) => a - b)).toEqual([2, 70]);
    expect(answersIn(equals('ip.ttl', 3))).toEqual([]);
  });
});
