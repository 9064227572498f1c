import { describe, expect, it } from 'vitest';
import { between, equals, masked } from '../../policy/expr.ts';
import { FLOW_LAYOUTS } from './flow-word.ts';
import { ADDRESSES, FLOW } from './layout.ts';
import { mergeEqualities } from './merge.ts';

const layout = FLOW_LAYOUTS.ipv4.normal;

describe('merging equalities', () => {
  it('makes protocol and destination port one compare', () => {
    expect(mergeEqualities([equals('ip.protocol', 6), equals('transport.dport', 22)], layout)).toEqual([
      { kind: 'word', register: FLOW, half: 'low', mask: 0xffff00ff, value: 0x00160006 },
    ]);
  });

  it('keeps halves of a register apart', () => {
    const tests = mergeEqualities([equals('ip.saddr', 0x0a000001), masked('ip.daddr', 0x0a000000, 0xff000000)], layout);
    expect(tests).toEqual([
      { kind: 'word', register: ADDRESSES, half: 'high', mask: 0xffffffff, value: 0x0a000001 },
      { kind: 'word', register: ADDRESSES, half: 'low', mask: 0xff000000, value: 0x0a000000 },
    ]);
  });

  it('leaves ranges and fields without a place as they are', () => {
    const range = between('transport.dport', 1000, 2000);
    const mark = equals('meta.mark', 1);
    expect(mergeEqualities([range, mark, equals('ip.protocol', 17)], layout)).toEqual([
      range,
      mark,
      { kind: 'word', register: FLOW, half: 'low', mask: 0xff, value: 17 },
    ]);
  });

  it('notices equalities that cannot hold together', () => {
    expect(mergeEqualities([equals('ip.protocol', 6), masked('ip.protocol', 0, 2)], layout)).toEqual([
      { kind: 'constant', value: false },
    ]);
  });
});
