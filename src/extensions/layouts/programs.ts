/** Structures that hold a little program: string, u32, bpf. */

import type { OptionMap } from '../contract.ts';
import { given } from '../options.ts';
import { classicInstructions } from '../values/classic-bpf.ts';
import { formatU32, readU32, type U32Operator, type U32Test } from '../values/u32-program.ts';
import { custom, flag, number, plain, text } from './fields.ts';
import { bit, isSet, LayoutError, read, set, u8, u16, u32, write, type XtLayout } from './layout.ts';

const PATTERN_BYTES = 128;

/** struct xt_string_info */
export const STRING: readonly XtLayout[] = [
  {
    revision: 1,
    size: 160,
    userSize: 152,
    fields: [
      number('from', u16(0)),
      number('to', u16(2)),
      text('algo', 4, 16),
      custom(
        (options, info) => {
          const use = given(options, 'string', 'bytes');
          if (use === undefined || use.bytes.length > PATTERN_BYTES) throw new LayoutError('there is no pattern');
          use.bytes.forEach((byte, at) => {
            info.setUint8(20 + at, byte);
          });
          write(info, u8(148), BigInt(use.bytes.length));
          if (use.invert) set(info, bit(u8(149), 1));
        },
        (info) => {
          const length = Math.min(info.getUint8(148), PATTERN_BYTES);
          const bytes = Array.from({ length }, (_, at) => info.getUint8(20 + at));
          return { string: { value: { kind: 'bytes', bytes }, invert: isSet(info, bit(u8(149), 1)) } };
        },
      ),
      flag('icase', bit(u8(149), 2)),
    ],
  },
];

const OPERATORS: readonly U32Operator[] = ['&', '<<', '>>', '@'];
/** XT_U32_MAXSIZE, and one more slot of each kind that is never used. */
const MOST = 10;
const [LOCATION, RANGE] = [8, 8];
const RANGES_AT = LOCATION * (MOST + 1);
const COUNTS_AT = RANGES_AT + RANGE * (MOST + 1);
const TEST = COUNTS_AT + 4;
const TESTS_AT = TEST * (MOST + 1);

function putU32(options: OptionMap, info: DataView): void {
  const use = given(options, 'u32', 'text');
  const tests = use === undefined ? 'there is no program' : readU32(use.text);
  if (typeof tests === 'string') throw new LayoutError(tests);
  tests.forEach(({ start, operations, ranges }, index) => {
    const base = TEST * index;
    write(info, u32(base), start);
    operations.forEach(({ operator, operand }, at) => {
      const element = base + LOCATION * (at + 1);
      write(info, u32(element), operand);
      write(info, u8(element + 4), BigInt(OPERATORS.indexOf(operator)));
    });
    ranges.forEach(({ min, max }, at) => {
      write(info, u32(base + RANGES_AT + RANGE * at), min);
      write(info, u32(base + RANGES_AT + RANGE * at + 4), max);
    });
    write(info, u8(base + COUNTS_AT), BigInt(operations.length + 1));
    write(info, u8(base + COUNTS_AT + 1), BigInt(ranges.length));
  });
  write(info, u8(TESTS_AT), BigInt(tests.length));
  if (use?.invert === true) write(info, u8(TESTS_AT + 1), 1n);
}

function getU32(info: DataView): OptionMap {
  const count = info.getUint8(TESTS_AT);
  if (count === 0 || count > MOST + 1) throw new LayoutError(`${count} tests`);
  const tests = Array.from({ length: count }, (_, index): U32Test => {
    const base = TEST * index;
    const [numbers, values] = [info.getUint8(base + COUNTS_AT), info.getUint8(base + COUNTS_AT + 1)];
    if (numbers === 0 || numbers > MOST + 1 || values > MOST + 1) throw new LayoutError(`${numbers} numbers`);
    return {
      start: read(info, u32(base)),
      operations: Array.from({ length: numbers - 1 }, (_number, at) => {
        const element = base + LOCATION * (at + 1);
        const operator = OPERATORS[info.getUint8(element + 4)];
        if (operator === undefined) throw new LayoutError('an unknown operation');
        return { operator, operand: read(info, u32(element)) };
      }),
      ranges: Array.from({ length: values }, (_value, at) => ({
        min: read(info, u32(base + RANGES_AT + RANGE * at)),
        max: read(info, u32(base + RANGES_AT + RANGE * at + 4)),
      })),
    };
  });
  return { u32: { value: { kind: 'text', text: formatU32(tests) }, invert: info.getUint8(TESTS_AT + 1) !== 0 } };
}

/** struct xt_u32 */
export const U32: readonly XtLayout[] = [{ revision: 0, size: 1984, fields: [custom(putU32, getU32)] }];

const INSTRUCTION = 8;
const PROGRAM_AT = 8;
const MOST_INSTRUCTIONS = 64;
const [BYTECODE, PINNED] = [0n, 1n];

/** struct xt_bpf_info_v1: mode u16, then classic instructions (count u16 at 2) or the path of a pinned program. */
export const BPF: readonly XtLayout[] = [
  {
    revision: 1,
    size: 528,
    userSize: 520,
    fields: [
      custom(
        (options, info, ctx) => {
          const use = given(options, 'bytecode', 'bytes');
          if (use === undefined) {
            write(info, u16(0), PINNED);
            return path.put(options, info, ctx);
          }
          const program = classicInstructions(use);
          write(info, u16(2), BigInt(program.length));
          program.forEach(({ code, jt, jf, k }, index) => {
            const at = PROGRAM_AT + INSTRUCTION * index;
            info.setUint16(at, code, true);
            info.setUint8(at + 2, jt);
            info.setUint8(at + 3, jf);
            info.setUint32(at + 4, k, true);
          });
          return undefined;
        },
        (info, ctx) => {
          const mode = read(info, u16(0));
          if (mode === PINNED) return path.get(info, ctx);
          const count = Number(read(info, u16(2)));
          if (mode !== BYTECODE || count > MOST_INSTRUCTIONS) throw new LayoutError(`a program of kind ${mode}`);
          const bytes = Array.from({ length: count }, (_, index) => {
            const at = PROGRAM_AT + INSTRUCTION * index;
            const part = (from: number): number => info.getUint8(at + from);
            // The value has its numbers in network order.
            return [part(1), part(0), part(2), part(3), part(7), part(6), part(5), part(4)];
          });
          return { bytecode: plain({ kind: 'bytes', bytes: bytes.flat() }) };
        },
        (info, ctx) => {
          // The descriptor that user space had of a pinned program: the kernel goes by the path.
          info.setUint32(4, 0);
          if (read(info, u16(0)) === PINNED) path.clean?.(info, ctx);
        },
      ),
    ],
  },
];
const path = text('object-pinned', PROGRAM_AT, 512);
