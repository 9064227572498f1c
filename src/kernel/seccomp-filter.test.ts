import { expect, it } from 'vitest';
import { tableCallFilter } from './seccomp-filter.ts';
import { SYSCALL_NUMBERS } from './syscall.ts';

const ARCHITECTURES = ['x64', 'arm64'] as const;
const AUDIT = { x64: 0xc000_003e, arm64: 0xc000_00b7, i386: 0x4000_0003, arm: 0x4000_0028 } as const;
const [ALLOW, NOTIFY] = [0x7fff_0000, 0x7fc0_0000];
/** Set in the number of every x32 call. */
const X32 = 0x4000_0000;

interface Call {
  readonly number: number;
  readonly architecture: number;
  readonly level: bigint;
  readonly option: bigint;
}

/** `struct seccomp_data`; arguments that nobody asks about are all ones. */
function dataOf({ number, architecture, level, option }: Call): DataView {
  const view = new DataView(new Uint8Array(64).fill(0xff).buffer);
  view.setUint32(0, number, true);
  view.setUint32(4, architecture, true);
  view.setBigUint64(24, level, true);
  view.setBigUint64(32, option, true);
  return view;
}

/** Runs a program as the kernel does, with nothing but what seccomp lets it do: aligned loads of words, jumps forward, an end. */
function answer(program: Uint8Array, data: DataView): number {
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  let a = 0;
  for (let at = 0; at < program.length; at += 8) {
    const [code, k] = [view.getUint16(at, true), view.getUint32(at + 4, true)];
    if (code === 0x06) return k;
    if (code === 0x20) {
      expect(k % 4).toBe(0);
      a = data.getUint32(k, true);
    } else if (code === 0x15) at += 8 * view.getUint8(at + (a === k ? 2 : 3));
    else throw new Error(`instruction ${code}`);
  }
  throw new Error('the program runs beyond its end');
}

const LEVELS = [0n, 41n, 1n, 6n, 40n, 42n, 255n, 0xffff_ffffn];
const OPTIONS = [64n, 65n, 0n, 63n, 66n, 67n, 80n, 0xffff_ffffn];

it.each(ARCHITECTURES)('%s: what reads or changes a table is handed over, and nothing else', (own) => {
  const program = tableCallFilter(own);
  const trapped: readonly number[] = [SYSCALL_NUMBERS.setsockopt[own], SYSCALL_NUMBERS.getsockopt[own]];
  const numbers = ARCHITECTURES.flatMap((other) => [
    ...[SYSCALL_NUMBERS.setsockopt[other], SYSCALL_NUMBERS.getsockopt[other]].flatMap((n) => [
      n - 1,
      n,
      n + 1,
      n | X32,
    ]),
  ]);
  let count = 0;
  for (const architecture of Object.values(AUDIT)) {
    for (const number of [...numbers, 0, 0xffff_ffff]) {
      for (const level of LEVELS) {
        for (const option of OPTIONS) {
          const ours =
            architecture === AUDIT[own] &&
            trapped.includes(number) &&
            (level === 0n || level === 41n) &&
            (option === 64n || option === 65n);
          const said = answer(program, dataOf({ number, architecture, level, option }));
          expect(said, `${architecture} ${number} ${level} ${option}`).toBe(ours ? NOTIFY : ALLOW);
          if (ours) count++;
        }
      }
    }
  }
  expect(count).toBeGreaterThanOrEqual(8);
});

it.each(ARCHITECTURES)('%s: the kernel takes arguments of 32 bits, whatever stands above', (own) => {
  const above = 0xdead_beefn << 32n;
  const call = { number: SYSCALL_NUMBERS.getsockopt[own], architecture: AUDIT[own] };
  expect(answer(tableCallFilter(own), dataOf({ ...call, level: above, option: above | 64n }))).toBe(NOTIFY);
});

it('the architecture is asked first, then the number: most calls cost no more', () => {
  const program = tableCallFilter('x64');
  const view = new DataView(program.buffer);
  expect(view.getUint32(4, true)).toBe(4);
  expect(view.getUint32(20, true)).toBe(0);
  expect(program.length).toBe(8 * 13);
});
