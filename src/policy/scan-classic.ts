import type { ScanOutcome } from './scan.ts';

/** Code, jump if true, jump if false (both counted from the next instruction), constant: struct sock_filter. */
export type ClassicStep = readonly [code: number, jt: number, jf: number, k: number];

/**
 * A classic BPF program as xt_bpf runs it: offsets count from the network header, a load of what is not all there ends the program
 * with 0. It only loads from the packet, never from SKF_AD_OFF or SKF_LL_OFF (see `runsOnBytes`). Yes: it returns a number other than 0.
 */
export interface ClassicScan {
  readonly kind: 'classic';
  readonly program: readonly ClassicStep[];
}

export function scanClassic({ program }: ClassicScan, bytes: Uint8Array): ScanOutcome {
  return run(program, bytes) === 0 ? 'no' : 'yes';
}

function run(program: readonly ClassicStep[], bytes: Uint8Array): number {
  let [a, x] = [0, 0];
  const memory = new Map<number, number>();
  const load = (at: number, size: number): number | undefined => {
    if (at < 0 || at + size > bytes.length) return undefined;
    let value = 0;
    for (let i = at; i < at + size; i++) value = value * 256 + bytes[i]!;
    return value;
  };
  for (let at = 0; at < program.length; ) {
    const [code, jt, jf, k] = program[at]!;
    at++;
    const operand = (code & 0x08) === 0 ? k : x;
    switch (code & 0x07) {
      case 0x00:
      case 0x01: {
        const value = loaded(code, k, x, memory, bytes.length, load);
        if (value === undefined) return 0;
        if ((code & 0x07) === 0) a = value;
        else x = value;
        break;
      }
      case 0x02:
        memory.set(k, a);
        break;
      case 0x03:
        memory.set(k, x);
        break;
      case 0x04: {
        const value = computed(code & 0xf0, a, operand);
        if (value === undefined) return 0;
        a = value;
        break;
      }
      case 0x05:
        at += code === 0x05 ? k : compared(code & 0xf0, a, operand) ? jt : jf;
        break;
      case 0x06:
        return (code & 0x18) === 0x10 ? a : k;
      default:
        if (code === 0x07) x = a;
        else a = x;
    }
  }
  return 0;
}

/** Bytes of a load by its size bits. */
export const LOAD_SIZES: Readonly<Record<number, 1 | 2 | 4>> = { 0: 4, 8: 2, 16: 1 };
/** Where a load takes its number from: constant, packet, packet behind x, memory, length, four times the low half of a byte. */
export const LOAD_MODE = { imm: 0x00, abs: 0x20, ind: 0x40, mem: 0x60, len: 0x80, msh: 0xa0 } as const;

function loaded(
  code: number,
  k: number,
  x: number,
  memory: ReadonlyMap<number, number>,
  length: number,
  load: (at: number, size: number) => number | undefined,
): number | undefined {
  switch (code & 0xe0) {
    case LOAD_MODE.imm:
      return k;
    case LOAD_MODE.mem:
      return memory.get(k) ?? 0;
    case LOAD_MODE.len:
      return length;
    case LOAD_MODE.msh: {
      const byte = load(k, 1);
      return byte === undefined ? undefined : (byte & 0x0f) * 4;
    }
    case LOAD_MODE.ind:
      return load((x + k) | 0, LOAD_SIZES[code & 0x18] ?? 4);
    default:
      return load(k | 0, LOAD_SIZES[code & 0x18] ?? 4);
  }
}

/** Unsigned, 32 bits; undefined: a division by 0, which ends the program. */
function computed(operation: number, a: number, b: number): number | undefined {
  switch (operation) {
    case 0x00:
      return (a + b) >>> 0;
    case 0x10:
      return (a - b) >>> 0;
    case 0x20:
      return Math.imul(a, b) >>> 0;
    case 0x30:
      return b === 0 ? undefined : Math.floor(a / b);
    case 0x40:
      return (a | b) >>> 0;
    case 0x50:
      return (a & b) >>> 0;
    case 0x60:
      return (a << (b & 31)) >>> 0;
    case 0x70:
      return a >>> (b & 31);
    case 0x80:
      return -a >>> 0;
    case 0x90:
      return b === 0 ? undefined : a % b;
    default:
      return (a ^ b) >>> 0;
  }
}

function compared(operation: number, a: number, b: number): boolean {
  switch (operation) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    default:
      return (a & b) !== 0;
  }
}

const U32 = 0xffff_ffff;
/** More than any packet has. */
const MOST_BYTES = 1 << 24;
/** A load this far before the packet asks for something else (SKF_LL_OFF and SKF_NET_OFF); nearer ones are never there. */
const FAR_BEFORE = -0xf0000;

/**
 * Whether a program asks for nothing but the packet's bytes and length: all its loads lie at offsets that are not negative, as far as
 * the largest values that can reach them tell, or so little negative that no packet has them.
 */
export function runsOnBytes(program: readonly ClassicStep[]): boolean {
  /** The largest a and x on any way to an instruction. */
  const most = program.map(() => ({ a: -1, x: -1 }));
  if (most[0] !== undefined) most[0] = { a: 0, x: 0 };
  for (const [at, [code, jt, jf, k]] of program.entries()) {
    const { a, x } = most[at]!;
    const signed = k | 0;
    const mode = code & 0xe0;
    const loads = (code & 0x06) === 0;
    if (loads && (mode === LOAD_MODE.abs || mode === LOAD_MODE.msh) && signed < 0) return false;
    if (loads && mode === LOAD_MODE.ind && (signed < FAR_BEFORE || x + signed > 0x7fff_ffff)) return false;
    const next = { a, x };
    if (loads) next[(code & 1) === 0 ? 'a' : 'x'] = mostLoaded(code, k);
    else if ((code & 0x07) === 0x04) next.a = mostComputed(code, a, k);
    else if (code === 0x07) next.x = a;
    else if (code === 0x87) next.a = x;
    const jumps = (code & 0x07) === 0x05;
    if ((code & 0x07) === 0x06) continue;
    for (const by of jumps ? (code === 0x05 ? [k] : [jt, jf]) : [0]) {
      const there = most[at + 1 + by];
      if (there === undefined) continue;
      most[at + 1 + by] = { a: Math.max(there.a, next.a), x: Math.max(there.x, next.x) };
    }
  }
  return true;
}

function mostLoaded(code: number, k: number): number {
  switch (code & 0xe0) {
    case LOAD_MODE.imm:
      return k;
    case LOAD_MODE.len:
      return MOST_BYTES;
    case LOAD_MODE.msh:
      return 60;
    case LOAD_MODE.mem:
      return U32;
    default:
      return 2 ** (8 * (LOAD_SIZES[code & 0x18] ?? 4)) - 1;
  }
}

function mostComputed(code: number, a: number, k: number): number {
  const byConstant = (code & 0x08) === 0;
  switch (code & 0xf0) {
    case 0x50:
      return byConstant ? Math.min(a, k) : a;
    case 0x70:
    case 0x30:
    case 0x90:
      return byConstant && (code & 0xf0) === 0x70 ? a >>> (k & 31) : a;
    case 0x00:
      return byConstant && a + k <= U32 ? a + k : U32;
    case 0x60:
      return byConstant && a * 2 ** (k & 31) <= U32 ? a * 2 ** (k & 31) : U32;
    default:
      return U32;
  }
}
